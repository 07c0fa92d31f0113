"""The items of a response's `input`, checked by one field in one loop.

Each comes out in the form in which it is told again: with its type, and content as a list of parts.
Source: OpenAI's InputItem.
"""

from collections.abc import Callable, Sequence
from typing import Any

from marshmallow import ValidationError, fields

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import kind
from tensoria.schemas.response_content import ignored_in_parts, to_parts
from tensoria.schemas.response_images import check_number
from tensoria.schemas.tool_history import checked_arguments
from tensoria.translate.response_items import CALLS, OUTPUTS
from tensoria.translate.response_thoughts import unseal
from tensoria.wire.responses import Item

_ROLES = ("assistant", "developer", "system", "user")
_STATUSES = ("completed", "in_progress", "incomplete")
# What OpenAI's servers looked up by themselves. What they found stands in the answer that follows,
# so a history without these items says the same; they are kept in it, and no model is told.
RECORDS = frozenset({"file_search_call", "mcp_list_tools", "web_search_call"})
# These hold what the answer after them rests on: without it the history would be another one.
_UNSERVED = frozenset(
    {
        *("additional_tools", "apply_patch_call", "apply_patch_call_output"),
        *("code_interpreter_call", "compaction", "compaction_trigger", "computer_call"),
        *("computer_call_output", "image_generation_call", "local_shell_call"),
        *("local_shell_call_output", "mcp_approval_request", "mcp_approval_response", "mcp_call"),
        *("program", "program_output", "shell_call", "shell_call_output", "tool_search_call"),
        "tool_search_output",
    }
)


class Items(fields.Field[list[Item]]):
    """A text, which is what the user says, or a list of items; the list is what comes out."""

    def _deserialize(self, value: Any, attr: str | None, *_: Any, **__: Any) -> list[Item]:
        if isinstance(value, str):
            return [_message("", {"role": "user", "content": value})]
        if not isinstance(value, list):
            raise ValidationError(f"expected a string or an array of items, got {kind(value)}.")
        items = []
        for index, item in enumerate(value):
            try:
                items.append(_item(f"{attr}[{index}]", item))
            except ValidationError as error:
                raise ValidationError({index: error.messages}) from None
        check_number(items)
        return items


def ignored_in_items(raw: Sequence[Item], name: str = "input") -> set[str]:
    """Name what the items of a checked request hold and no model is told."""
    names: set[str] = set()
    for index, item in enumerate(raw):
        type_ = _type(item)
        if type_ in RECORDS:
            names.add(f"{name}[{index}]")
            continue
        known = _MEMBERS[type_]
        names |= {
            f"{name}.{key}" for key, value in item.items() if value is not None and key not in known
        }
        for key in ("content", "output"):
            if type_ != "reasoning" and key in known:
                names |= ignored_in_parts(f"{name}.{key}", item.get(key))
        if type_ == "reasoning" and _is_closed(item):
            names.add(f"{name}.encrypted_content")
    return names


def _is_closed(item: Item) -> bool:
    sealed = item.get("encrypted_content")
    return bool(sealed) and unseal(sealed or "") is None


def _type(item: Item) -> Any:
    """Return an item's type, which messages and references may lack."""
    if item.get("type") is None:
        return "message" if "role" in item else "item_reference"
    return item["type"]


def _item(place: str, item: object) -> Item:
    if not isinstance(item, dict):
        raise ValidationError([f"expected an object, got {kind(item)}."])
    type_ = _type(item)
    if isinstance(type_, str):
        if type_ in _CHECKS:
            checked = _CHECKS[type_](place, item)
            return _identity(item) | {"type": type_} | checked
        if type_ in RECORDS:
            return _identity(item) | item
        if type_ in _UNSERVED:
            raise UnsupportedParameter(
                f"'{place}' is of the type '{type_}', which is not supported: no such tool runs "
                "here, and the history would not be the same without it.",
                param=f"{place}.type",
            )
    raise ValidationError({"type": [f"expected one of {', '.join(sorted(_CHECKS))}."]})


def _identity(item: Item) -> Item:
    id_ = item.get("id")
    if id_ is None or id_ == "":
        return {}
    if not isinstance(id_, str):
        raise ValidationError({"id": [f"expected a string, got {kind(id_)}."]})
    return {"id": id_}


def _status(item: Item) -> str:
    status = item.get("status")
    return status if status in _STATUSES else "completed"


def _message(place: str, item: Item) -> Item:
    role = item.get("role")
    if role not in _ROLES:
        raise ValidationError({"role": [f"expected one of {', '.join(_ROLES)}."]})
    content = _under(
        "content",
        lambda: to_parts(
            f"{place}.content",
            item.get("content"),
            answer=role == "assistant",
            images=role == "user",
        ),
    )
    return {"type": "message", "status": _status(item), "role": role, "content": content}


def _call(_: str, item: Item) -> Item:
    return {
        "status": _status(item),
        "call_id": _text(item, "call_id"),
        "name": _text(item, "name"),
        "arguments": checked_arguments(item.get("arguments")),
    }


def _custom_call(_: str, item: Item) -> Item:
    if not isinstance(written := item.get("input"), str):
        raise ValidationError({"input": [f"expected a string, got {kind(written)}."]})
    return {
        "status": _status(item),
        "call_id": _text(item, "call_id"),
        "name": _text(item, "name"),
        "input": written,
    }


def _output(place: str, item: Item) -> Item:
    output = item.get("output")
    if not isinstance(output, str):
        if output is None:
            raise ValidationError({"output": ["expected a string or an array of parts, got null."]})
        output = _under("output", lambda: to_parts(f"{place}.output", output))
    return {"status": _status(item), "call_id": _text(item, "call_id"), "output": output}


def _reasoning(_: str, item: Item) -> Item:
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str | None):
        raise ValidationError({"encrypted_content": [f"expected a string, got {kind(sealed)}."]})
    return {
        "status": _status(item),
        "summary": _thoughts(item, "summary", "summary_text"),
        "content": _thoughts(item, "content", "reasoning_text"),
        **({} if sealed is None else {"encrypted_content": sealed}),
    }


def _thoughts(item: Item, key: str, type_: str) -> list[dict[str, str]]:
    parts = item.get(key)
    if parts is None:
        return []
    if not isinstance(parts, list):
        raise ValidationError({key: [f"expected an array of parts, got {kind(parts)}."]})
    for index, part in enumerate(parts):
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            raise ValidationError({key: {index: ["expected an object with a text."]}})
    return [{"type": type_, "text": part["text"]} for part in parts]


def _reference(_: str, item: Item) -> Item:
    return {"id": _text(item, "id")}


def _text(item: Item, key: str) -> str:
    text = item.get(key)
    if not isinstance(text, str) or not text:
        raise ValidationError({key: ["expected a string that is not empty."]})
    return text


def _under(key: str, check: Callable[[], list[Item]]) -> list[Item]:
    try:
        return check()
    except ValidationError as error:
        raise ValidationError({key: error.messages}) from None


_CHECKS: dict[str, Callable[[str, Item], Item]] = {
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
    "function_call": _call,
    "function_call_output": _output,
    "item_reference": _reference,
    "message": _message,
    "reasoning": _reasoning,
}
_OF_ALL = frozenset({"type", "id", "status"})
_MEMBERS: dict[str, frozenset[str]] = {
    "item_reference": _OF_ALL,
    "message": _OF_ALL | {"role", "content"},
    "reasoning": _OF_ALL | {"summary", "content", "encrypted_content"},
    **dict.fromkeys(CALLS, _OF_ALL | {"call_id", "name", "arguments", "input"}),
    **dict.fromkeys(OUTPUTS, _OF_ALL | {"call_id", "output"}),
}
