"""Messages: Anthropic's request to the house's chat.

Source: docs.anthropic.com/en/api/messages, and the package `anthropic`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import orjson

from tensoria.wire.content import ContentPart
from tensoria.wire.message_blocks import (
    Block,
    ImageBlock,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from tensoria.wire.messages import CountRequest, MessageRequest, MessageTurn, Thoughts
from tensoria.wire.openai import ChatRequest, Message
from tensoria.wire.response_format import JsonSchema
from tensoria.wire.tools import ToolCall

# Engines have no place for `is_error`: the model reads it.
ERROR = "Error: "
SILENT_ERROR = f"{ERROR}the tool failed and said nothing."

_NAMES = {"think": "thinking", "stop": "stop_sequences"}
_SAME = (
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repeat_penalty",
    "seed",
    "keep_alive",
    "tools",
    "parallel_tool_calls",
)


def to_chat(request: MessageRequest | CountRequest) -> ChatRequest:
    """Return the chat that a checked request means.

    A stream asks for its usage, which message_delta tells. Results are not matched with their
    calls yet.
    """
    asked = cast("dict[str, Any]", request)
    chat: dict[str, Any] = {name: asked[name] for name in _SAME if name in asked}
    chat["messages"] = to_messages(asked.get("system", ""), asked["messages"])
    chat["think"] = to_think(request)
    if "stop_sequences" in asked:
        chat["stop"] = asked["stop_sequences"]
    if "tool_choice" in asked:
        chat["tool_choice"] = _to_choice(asked["tool_choice"])
    if form := form_of(request):
        chat["response_format"] = {"type": "json_schema", "json_schema": form}
    if user := asked.get("metadata", {}).get("user_id"):
        chat["user"] = user
    if asked.get("stream"):
        chat["stream"] = True
        chat["stream_options"] = {"include_usage": True}
    return cast("ChatRequest", chat)


def thinks(request: MessageRequest | CountRequest) -> bool:
    """Tell whether a request asks for thoughts; one that says nothing does not."""
    return request.get("thinking", {"type": "disabled"})["type"] != "disabled"


def to_think(request: MessageRequest | CountRequest) -> bool | str:
    """Return the chat's `think`: an effort counts where there is thinking."""
    if not thinks(request):
        return False
    return request.get("output_config", {}).get("effort", True)


def thoughts_of(request: MessageRequest) -> Thoughts:
    """Return what becomes of the model's thoughts in the answer."""
    if not thinks(request):
        return "hidden"
    return "omitted" if request["thinking"].get("display") == "omitted" else "shown"


def to_name(field: str) -> str:
    """Return what a message calls a field of a chat."""
    return _NAMES.get(field, field)


def form_of(request: MessageRequest | CountRequest) -> JsonSchema | None:
    """Return the schema of the answer, if it has one."""
    return request.get("output_config", {}).get("format") or request.get("output_format")


def to_messages(system: str, turns: Sequence[MessageTurn]) -> list[Message]:
    """Return the house's messages; turns of one role that follow each other become one."""
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    for role, blocks in _joined(turns):
        if role == "system":
            messages.append({"role": "system", "content": _text(blocks)})
        elif role == "assistant":
            messages.append(_said(blocks))
        else:
            messages.extend(_asked(blocks))
    return messages


def _joined(turns: Sequence[MessageTurn]) -> Iterator[tuple[str, list[Block]]]:
    role, blocks = turns[0]["role"], list(turns[0]["content"])
    for turn in turns[1:]:
        if turn["role"] == role:
            blocks += turn["content"]
            continue
        yield role, blocks
        role, blocks = turn["role"], list(turn["content"])
    yield role, blocks


def _said(blocks: Iterable[Block]) -> Message:
    """Return an assistant's message: its text, its thoughts, its calls."""
    blocks = list(blocks)
    message: Message = {"role": "assistant", "content": _text(blocks)}
    thoughts = [block["thinking"] for block in blocks if block["type"] == "thinking"]
    if any(thoughts):
        message["reasoning_content"] = "\n\n".join(filter(None, thoughts))
    if calls := [_to_call(block) for block in blocks if block["type"] == "tool_use"]:
        message["tool_calls"] = calls
    return message


def _to_call(block: ToolUseBlock) -> ToolCall:
    arguments = orjson.dumps(block["input"]).decode()
    function = {"name": block["name"], "arguments": arguments}
    return cast("ToolCall", {"id": block["id"], "type": "function", "function": function})


def _asked(blocks: Sequence[Block]) -> Iterator[Message]:
    """Yield a user's message as messages: results follow their calls, what was said comes last."""
    rest: list[TextBlock | ImageBlock] = []
    for block in blocks:
        if block["type"] == "tool_result":
            yield _result(block)
        else:
            rest.append(cast("TextBlock | ImageBlock", block))
    if rest or not any(block["type"] == "tool_result" for block in blocks):
        yield _with_images({"role": "user", "content": _text(rest)}, rest)


def _result(block: ToolResultBlock) -> Message:
    content = block["content"]
    text = _text(content)
    if block["is_error"]:
        text = f"{ERROR}{text}" if text else SILENT_ERROR
        content = [{"type": "text", "text": text}, *(e for e in content if e["type"] == "image")]
    message: Message = {"role": "tool", "content": text}
    if block["tool_use_id"]:
        message["tool_call_id"] = block["tool_use_id"]
    return _with_images(message, content)


def _with_images(message: Message, blocks: Sequence[TextBlock | ImageBlock]) -> Message:
    if any(block["type"] == "image" for block in blocks):
        message["parts"] = [_to_part(block) for block in blocks]
    return message


def _to_part(block: TextBlock | ImageBlock) -> ContentPart:
    if block["type"] == "text":
        return {"type": "text", "text": block["text"]}
    return {"type": "image_url", "image_url": {"url": block["url"]}}


def _text(blocks: Iterable[Block]) -> str:
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


def _to_choice(choice: dict[str, Any]) -> str | dict[str, Any]:
    if choice["type"] == "any":
        return "required"
    return {"type": "function", "function": {"name": choice["name"]}}
