"""The `messages` of a chat, checked by one field in one loop.

A nested schema a message would cost 0.4 ms for 40 messages; this costs a fiftieth of it.
"""

from collections.abc import Iterable
from typing import Any, NoReturn

from marshmallow import ValidationError, fields

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import kind
from tensoria.schemas.images import check_number, ignored_in_image, is_image, to_parts
from tensoria.schemas.tool_history import (
    OF_ASSISTANT,
    ignored_in_calls,
    match_results,
    take_calls,
)
from tensoria.wire.openai import Message

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
# Keys that name the call which a tool's result belongs to; other roles have no such thing.
_OF_RESULTS = frozenset({"name", "tool_call_id"})
_RESULTS = ("tool", "function")
# Keys that are an empty way to say nothing, whatever the role.
_CALLS = frozenset({"tool_calls", "function_call", "audio"})
# Which key of a content part holds its text.
_TEXT_OF_PART = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "refusal": "refusal",
}
_OTHER_PARTS = frozenset({"input_audio", "file", "input_file"})


class Messages(fields.Field[list[Message]]):
    """A list of messages; the content of each becomes one string.

    Any role may carry parts, and a message may have no content, null, "" or no parts at all:
    real clients send each of these.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[Message]:
        if not isinstance(value, list):
            raise ValidationError(f"expected an array of messages, got {kind(value)}.")
        if not value:
            raise ValidationError("expected at least one message.")
        messages = [_message(index, message) for index, message in enumerate(value)]
        check_number(messages)
        return messages


def settle_history(messages: list[Message]) -> set[str]:
    """Match results with their calls; name `tool_call_id` where a call is not in the history."""
    if any(message["role"] in _RESULTS or "tool_calls" in message for message in messages):
        return set() if match_results(messages) else {"messages.tool_call_id"}
    return set()


def ignored_in_messages(messages: Iterable[dict[str, Any]]) -> set[str]:
    """Name what the messages of a checked request hold and the engine never sees."""
    extra: set[str] = set()
    for message in messages:
        if _has_more(message):
            extra.update(
                f"messages.{key}"
                for key, value in message.items()
                if value is not None and _is_ignored(key, value, message["role"])
            )
            if message["role"] == "assistant":
                extra |= ignored_in_calls(message)
        if isinstance(parts := message.get("content"), list):
            extra.update(_ignored_in_parts(part for part in parts if not is_image(part)))
            extra.update(*(ignored_in_image(part) for part in parts if is_image(part)))
    return extra


def _has_more(message: dict[str, Any]) -> bool:
    """Tell whether a message has keys beyond `role` and `content`; most have not."""
    return len(message) > 2 or "content" not in message


def _is_ignored(key: str, value: object, role: str) -> bool:
    if key in _OF_RESULTS:
        return role not in _RESULTS
    if key in OF_ASSISTANT and role == "assistant":
        return False
    return key not in ("role", "content") and (bool(value) or key not in _CALLS)


def _ignored_in_parts(parts: Iterable[dict[str, Any]]) -> set[str]:
    return {
        f"messages.content.{key}"
        for part in parts
        if len(part) > 2
        for key, value in part.items()
        if value is not None and key not in ("type", _TEXT_OF_PART[part["type"]])
    }


def _message(index: int, message: object) -> Message:
    if not isinstance(message, dict):
        raise ValidationError({index: [f"expected an object, got {kind(message)}."]})
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise ValidationError({index: {"role": [f"expected one of {', '.join(sorted(ROLES))}."]}})
    content = message.get("content")
    checked: Message = {
        "role": role,
        "content": content if isinstance(content, str) else _text(index, content),
    }
    if isinstance(content, list) and any(map(is_image, content)):
        checked["parts"] = to_parts(index, role, content)
    if _has_more(message):
        _take_the_rest(index, message, checked)
    return checked


def _take_the_rest(index: int, message: dict[str, Any], checked: Message) -> None:
    if message.get("audio"):
        raise UnsupportedParameter(
            f"'messages[{index}].audio' is not supported by this service; leave it out.",
            param=f"messages[{index}].audio",
        )
    if checked["role"] == "assistant":
        take_calls(index, message, checked)
    for key in ("name", "tool_call_id"):
        value = message.get(key)
        if value is None:
            continue
        if not isinstance(value, str):
            raise ValidationError({index: {key: [f"expected a string, got {kind(value)}."]}})
        if key == "name":
            checked["name"] = value
        else:
            checked["tool_call_id"] = value


def _text(index: int, content: object) -> str:
    """Join the text of content parts; a part that is no text is refused by name."""
    if content is None:
        return ""
    if not isinstance(content, list):
        message = f"expected a string or an array of parts, got {kind(content)}."
        raise ValidationError({index: {"content": [message]}})
    return "\n".join(
        _part(index, place, part) for place, part in enumerate(content) if not is_image(part)
    )


def _part(index: int, place: int, part: object) -> str:
    if not isinstance(part, dict):
        message = f"expected an object, got {kind(part)}."
        raise ValidationError({index: {"content": {place: [message]}}})
    type_ = part.get("type")
    key = _TEXT_OF_PART.get(type_) if isinstance(type_, str) else None
    if key is None:
        _refuse_part(index, place, type_)
    text = part.get(key)
    if not isinstance(text, str):
        message = f"expected a string, got {kind(text)}."
        raise ValidationError({index: {"content": {place: {key: [message]}}}})
    return text


def _refuse_part(index: int, place: int, type_: object) -> NoReturn:
    if isinstance(type_, str) and type_ in _OTHER_PARTS:
        raise UnsupportedParameter(
            f"Content parts of type '{type_}' are not supported here; send text or images.",
            param=f"messages[{index}].content[{place}].type",
        )
    message = f"expected one of {', '.join(sorted([*_TEXT_OF_PART, 'image_url']))}."
    raise ValidationError({index: {"content": {place: {"type": [message]}}}})
