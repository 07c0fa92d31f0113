"""Responses: the request to the house's chat, and the object with which its answer begins.

Source: OpenAI's CreateResponse and Response.
"""

from collections.abc import Iterable
from typing import Any, cast

from tensoria.errors import TensoriaError
from tensoria.translate.reasoning import SPELLINGS
from tensoria.translate.response_items import to_messages
from tensoria.wire.openai import ChatRequest
from tensoria.wire.response_format import ResponseFormat
from tensoria.wire.responses import Echo, Item, Response, ResponseRequest
from tensoria.wire.tools import Tool

# Members of the request that a chat has by the same name.
_SAME = (
    *("frequency_penalty", "keep_alive", "min_p", "model", "options", "parallel_tool_calls"),
    *("presence_penalty", "repeat_penalty", "safety_identifier", "seed", "stop", "temperature"),
    *("tool_choice", "tools", "top_k", "top_p", "user"),
    *sorted(SPELLINGS - {"reasoning", "reasoning_effort"}),
)
# What is echoed as it came, and what it is where nothing came.
_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "temperature": None,
    "top_logprobs": 0,
    "top_p": None,
    "user": None,
}
LOGPROBS = "message.output_text.logprobs"
SEALED = "reasoning.encrypted_content"
# What a chat's errors and notices call by another name.
_NAMES = {
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "messages.tool_call_id": "input.call_id",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "tool_choice.allowed_tools.tools": "tool_choice.tools",
    "tool_choice.function.name": "tool_choice.name",
}


def to_chat(request: ResponseRequest, items: Iterable[Item]) -> ChatRequest:
    """Return the chat that a request asks for; results are not matched with their calls yet.

    `items` is all that was said: what came before, and the request's own. The instructions stand
    in front of it, and are no part of it.
    """
    asked = cast("dict[str, Any]", request)
    chat: dict[str, Any] = {name: asked[name] for name in _SAME if name in asked}
    chat["messages"] = to_messages(items)
    if instructions := request.get("instructions"):
        chat["messages"].insert(0, {"role": "system", "content": instructions})
    if "max_output_tokens" in request:
        chat["max_completion_tokens"] = request["max_output_tokens"]
    if "format" in (text := request.get("text", {})):
        chat["response_format"] = text["format"]
    if "effort" in (reasoning := request.get("reasoning", {})):
        chat["reasoning"] = {"effort": reasoning["effort"]}
    if LOGPROBS in request.get("include", ()):
        chat["logprobs"] = True
        if "top_logprobs" in request:
            chat["top_logprobs"] = request["top_logprobs"]
    return cast("ChatRequest", chat)


def to_echo(request: ResponseRequest) -> Echo:
    """Return what the answer repeats of a checked request whose tools are not settled yet."""
    asked = cast("dict[str, Any]", request)
    echo: Any = {name: asked.get(name, default) for name, default in _ECHOED.items()}
    if echo["max_output_tokens"] == -1:
        echo["max_output_tokens"] = None
    reasoning = request.get("reasoning", {})
    echo |= {
        "parallel_tool_calls": request.get("parallel_tool_calls", True),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "text": {"format": _to_format(request.get("text", {}).get("format"))},
        "tool_choice": _to_choice(request.get("tool_choice", "auto")),
        "tools": [_to_tool(tool) for tool in request.get("tools", ())],
    }
    if "model" in request:
        echo["model"] = request["model"]
    return cast("Echo", echo)


def to_response(
    request: ResponseRequest, id_: str, created_at: int, *, model: str, truncates: bool
) -> Response:
    """Return the object as a response begins; `model` is its name where the client has none.

    `truncates` says that the service cuts prompts that are too long.
    """
    response: Any = {
        "id": id_,
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": "in_progress",
        "background": request.get("background", False),
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "service_tier": "default",
        "store": request.get("store", True),
        "truncation": "auto" if truncates else "disabled",
        "usage": None,
        **request["echo"],
    }
    if "conversation" in request:
        response["conversation"] = {"id": request["conversation"]}
    return cast("Response", response)


def reword(error: TensoriaError) -> None:
    """Let a chat's error speak of the fields that a response has."""
    error.message = error.message.replace("your messages resulted", "your input resulted")
    if error.param is None:
        return
    named = to_name(error.param)
    if named != error.param:
        error.message = error.message.replace(f"'{error.param}'", f"'{named}'")
        error.param = named


def to_name(field: str) -> str:
    """Return what a response calls a field of a chat."""
    if field.startswith("messages["):
        # Which item it was is not known here: one message may be several, and some are recalled.
        return "input"
    return _NAMES.get(field, field)


def _to_format(form: ResponseFormat | None) -> dict[str, Any]:
    if form is None:
        return {"type": "text"}
    if "json_schema" in form:
        return {"type": "json_schema", **form["json_schema"]}
    return {"type": form["type"]}


def _to_choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    if choice["type"] == "function":
        return {"type": "function", "name": choice["function"]["name"]}
    allowed = choice["allowed_tools"]
    tools = [_to_choice(tool) for tool in allowed["tools"]]
    return {"type": "allowed_tools", "mode": allowed["mode"], "tools": tools}


def _to_tool(tool: Tool) -> dict[str, Any]:
    """Nothing holds a call to its schema but the model, so `strict` is false."""
    function = tool["function"]
    return {
        "type": "function",
        "name": function["name"],
        "description": function.get("description"),
        "parameters": function["parameters"],
        "strict": False,
    }
