"""Items of a response to the messages of a chat.

Source: OpenAI's InputItem and OutputItem. An item is one thing said, thought, called or returned; a
chat has the assistant's thought, words and calls of one turn in one message.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from tensoria.translate.response_thoughts import unseal
from tensoria.wire.content import ContentPart
from tensoria.wire.openai import Message, ToolCall
from tensoria.wire.responses import Item

# What the id of an item begins with, by its type; the others are records that OpenAI's servers
# made, and have an id.
_PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
}
CALLS = frozenset({"function_call", "custom_tool_call"})
OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


def identify(items: Iterable[Item], new_id: Callable[[str], str]) -> list[Item]:
    """Return the items, each with an id; `new_id` makes one that begins with a prefix."""
    return [
        item if "id" in item else {"id": new_id(_PREFIXES.get(item["type"], "item_")), **item}
        for item in items
    ]


def to_messages(items: Iterable[Item]) -> list[Message]:
    """Return the messages that items say; those that no model can be told are left out.

    What the assistant thinks, says and calls in a row becomes one message, as long as it keeps
    that order: templates want the results right behind their calls.
    """
    messages: list[Message] = []
    for item in items:
        type_ = item["type"]
        if type_ in OUTPUTS:
            messages.append(_to_result(item))
        elif type_ in CALLS:
            _turn(messages).setdefault("tool_calls", []).append(_to_call(item))
        elif type_ == "reasoning":
            _add_thought(messages, item)
        elif type_ == "message":
            _add_message(messages, item)
    return messages


def thought_of(item: Item) -> str:
    """Return what a reasoning item holds that can be read: its text, ours, or its summary."""
    if texts := [part["text"] for part in item.get("content") or ()]:
        return "\n".join(texts)
    if sealed := item.get("encrypted_content"):
        thought = unseal(sealed)
        if thought is not None:
            return thought
    return "\n".join(part["text"] for part in item["summary"])


def to_parts(content: Iterable[dict[str, Any]]) -> list[ContentPart]:
    """Return the parts of an item as a chat has them."""
    return [
        {"type": "image_url", "image_url": {"url": part["image_url"]}}
        if part["type"] == "input_image"
        else {"type": "text", "text": _text(part)}
        for part in content
    ]


def _text(part: dict[str, Any]) -> str:
    text: str = part["refusal" if part["type"] == "refusal" else "text"]
    return text


def _to_message(role: str, content: list[dict[str, Any]]) -> Message:
    texts = [_text(part) for part in content if part["type"] != "input_image"]
    message: Message = {"role": role, "content": "\n".join(texts)}
    if len(texts) < len(content):
        message["parts"] = to_parts(content)
    return message


def _to_result(item: Item) -> Message:
    output = item["output"]
    if isinstance(output, str):
        message: Message = {"role": "tool", "content": output}
    else:
        message = _to_message("tool", output)
    message["tool_call_id"] = item["call_id"]
    return message


def _to_call(item: Item) -> ToolCall:
    # A custom tool's call is one text; to this model it was a function with one argument.
    custom = item["type"] == "custom_tool_call"
    arguments = orjson.dumps({"input": item["input"]}).decode() if custom else item["arguments"]
    function = {"name": item["name"], "arguments": arguments}
    return {"id": item["call_id"], "type": "function", "function": function}  # type: ignore[typeddict-item]


def _turn(messages: list[Message]) -> Message:
    """Return the assistant's message at the end, a new one if there is none."""
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": ""})
    return messages[-1]


def _add_thought(messages: list[Message], item: Item) -> None:
    thought = thought_of(item)
    if not thought:
        return
    last = _turn(messages)
    if last["content"] and "tool_calls" not in last:
        # What was thought after the words belongs to what comes.
        last = {"role": "assistant", "content": ""}
        messages.append(last)
    before = last.get("reasoning_content")
    last["reasoning_content"] = f"{before}\n{thought}" if before else thought


def _add_message(messages: list[Message], item: Item) -> None:
    message = _to_message(item["role"], item["content"])
    if message["role"] != "assistant":
        messages.append(message)
        return
    last = _turn(messages)
    if not last["content"]:
        last["content"] = message["content"]
    elif "tool_calls" in last:
        last["content"] += "\n" + message["content"]
    else:
        messages.append(message)
