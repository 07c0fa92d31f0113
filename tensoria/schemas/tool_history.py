"""Tool calls of earlier turns: the assistant's calls, and which call each result answers.

Clients send the whole history back each turn, in the forms that other engines gave them: calls
without id or type, arguments as an object, one id for every call, results whose call has long slid
out of the window.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from marshmallow import ValidationError

from tensoria.schemas.base import kind
from tensoria.schemas.tools import MAX_DEPTH, is_deeper
from tensoria.wire.openai import Message, ToolCall

# What a message of the assistant may have beside its text.
OF_ASSISTANT = frozenset({"tool_calls", "function_call", "reasoning_content", "reasoning"})
# An index is what a stream had; the order says the same.
_OF_CALL = frozenset({"id", "type", "function", "index"})
_OF_FUNCTION = frozenset({"name", "arguments"})


def take_calls(index: int, message: dict[str, Any], checked: Message) -> None:
    """Check the calls and thoughts of an assistant's message; raises ValidationError."""
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise ValidationError({index: {"tool_calls": [f"expected an array, got {kind(calls)}."]}})
    if calls:
        checked["tool_calls"] = [_call(index, place, call) for place, call in enumerate(calls)]
    elif old := message.get("function_call"):
        try:
            call = _of_function("", old)
        except ValidationError as error:
            raise ValidationError({index: {"function_call": error.messages}}) from None
        checked["tool_calls"] = [call]
    if thought := _thought(message):
        checked["reasoning_content"] = thought


def ignored_in_calls(message: dict[str, Any]) -> set[str]:
    """Name what the calls of a checked message hold and no engine sees."""
    names = set()
    if message.get("tool_calls") and message.get("function_call"):
        names.add("messages.function_call")
    for key in ("reasoning_content", "reasoning"):
        if message.get(key) is not None and not isinstance(message[key], str):
            names.add(f"messages.{key}")
    for call in message.get("tool_calls") or ():
        names |= _told("messages.tool_calls", call, _OF_CALL)
        names |= _told("messages.tool_calls.function", call.get("function") or {}, _OF_FUNCTION)
    return names


def match_results(messages: list[Message]) -> bool:
    """Name the function and the call of each result; tell whether all calls named are there.

    A call without an id gets one, and so does the result that answers it: by its id, or else by
    its function's name, or else by order.
    """
    turn = _Turn()
    known: dict[str, str] = {}
    found_all = True
    for index, message in enumerate(messages):
        if "tool_calls" in message:
            # Some clients write one message a call, and the results after them all.
            if index and "tool_calls" not in messages[index - 1]:
                turn = _Turn()
            for place, call in enumerate(message["tool_calls"]):
                call["id"] = call["id"] or f"call_{index}_{place}"
                known[call["id"]] = call["function"]["name"]
                turn.add(call)
        elif message["role"] in ("tool", "function"):
            found_all = _match(message, turn, known) and found_all
    return found_all


def _match(result: Message, turn: "_Turn", known: dict[str, str]) -> bool:
    id_, name = result.get("tool_call_id"), result.get("name")
    if id_:
        call = turn.take("id", id_)
        function = call["function"]["name"] if call else known.get(id_)
    else:
        call = turn.take("name", name) if name else turn.take("any", "")
        function = call["function"]["name"] if call else None
        if call:
            result["tool_call_id"] = call["id"]
        else:
            result.pop("tool_call_id", None)
    if function and not name:
        result["name"] = function
    return bool(function) or not id_


@dataclass(slots=True)
class _Open:
    call: ToolCall
    answered: bool = False


class _Turn:
    """The calls of one turn that wait for their results, found in constant time."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, str], deque[_Open]] = {}

    def add(self, call: ToolCall) -> None:
        waiting = _Open(call)
        keys = (("id", call["id"]), ("name", call["function"]["name"]), ("any", ""))
        for key in keys:
            self._queues.setdefault(key, deque()).append(waiting)

    def take(self, by: str, value: str) -> ToolCall | None:
        queue = self._queues.get((by, value))
        while queue:
            waiting = queue.popleft()
            if not waiting.answered:
                waiting.answered = True
                return waiting.call
        return None


def _told(place: str, found: dict[str, Any], kept: Iterable[str]) -> set[str]:
    return {
        f"{place}.{key}" for key, value in found.items() if value is not None and key not in kept
    }


def _thought(message: dict[str, Any]) -> str | None:
    """Both names hold the same where both are there."""
    for key in ("reasoning_content", "reasoning"):
        if isinstance(value := message.get(key), str) and value:
            return value
    return None


def _call(index: int, place: int, call: object) -> ToolCall:
    try:
        return _checked_call(call)
    except ValidationError as error:
        raise ValidationError({index: {"tool_calls": {place: error.messages}}}) from None


def _checked_call(call: object) -> ToolCall:
    if not isinstance(call, dict):
        raise ValidationError([f"expected an object, got {kind(call)}."])
    id_ = call.get("id")
    if id_ is not None and not isinstance(id_, str):
        raise ValidationError({"id": [f"expected a string, got {kind(id_)}."]})
    if call.get("type") == "custom" and isinstance(call.get("custom"), dict):
        # A custom tool's call is one text; to this model it was a function with one argument.
        custom = call["custom"]
        return _of_function(
            id_ or "", {"name": custom.get("name"), "arguments": {"input": custom.get("input")}}
        )
    try:
        return _of_function(id_ or "", call.get("function"))
    except ValidationError as error:
        raise ValidationError({"function": error.messages}) from None


def _of_function(id_: str, function: object) -> ToolCall:
    if not isinstance(function, dict):
        raise ValidationError([f"expected an object, got {kind(function)}."])
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise ValidationError({"name": ["expected a string that is not empty."]})
    arguments = checked_arguments(function.get("arguments"))
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def checked_arguments(value: object) -> str:
    """Return the arguments as a string that holds a JSON object."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return "{}"
    parsed = value
    if isinstance(value, str):
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError:
            parsed = None
    if not isinstance(parsed, dict):
        raise ValidationError({"arguments": ["expected a JSON object, as a string or as it is."]})
    if is_deeper(parsed, MAX_DEPTH):
        raise ValidationError({"arguments": [f"nested deeper than {MAX_DEPTH} levels."]})
    return value if isinstance(value, str) else orjson.dumps(parsed).decode()
