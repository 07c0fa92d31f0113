"""The field `response_format`: what form the answer must have."""

import re
from typing import Any

from marshmallow import ValidationError, fields, missing

from tensoria.schemas.base import kind
from tensoria.translate.json_schema import to_checker
from tensoria.translate.schema_parts import BadSchema
from tensoria.wire.response_format import JsonSchema, ResponseFormat

# OpenAI requires a name; servers that clients also know do not.
NAME = "answer"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPES = "text, json_object, json_schema"
_MEMBERS = {"type"}
_MEMBERS_OF_SCHEMA = {"name", "description", "schema", "strict"}


class ResponseFormatField(fields.Field[ResponseFormat]):
    """`response_format`; text is the default, and comes out as absent.

    A schema is compiled here, so that one that cannot be used is refused before anything runs.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        form = value.get("type")
        if form == "text":
            return missing
        if form == "json_object":
            return {"type": "json_object"}
        if form != "json_schema":
            raise ValidationError({"type": [f"expected one of {_TYPES}."]})
        return {"type": "json_schema", "json_schema": _to_json_schema(value.get("json_schema"))}


def _to_json_schema(value: Any) -> JsonSchema:
    if not isinstance(value, dict):
        raise _wrong("expected an object, with a schema." if value is None else _expected(value))
    found: JsonSchema = {"name": NAME, "schema": _to_schema(value.get("schema"))}
    if (name := value.get("name")) is not None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _wrong("expected up to 64 letters, digits, underscores and dashes.", "name")
        found["name"] = name
    if (description := value.get("description")) is not None:
        if not isinstance(description, str):
            raise _wrong(f"expected a string, got {kind(description)}.", "description")
        found["description"] = description
    if (strict := value.get("strict")) is not None:
        if not isinstance(strict, bool):
            raise _wrong(f"expected true or false, got {kind(strict)}.", "strict")
        found["strict"] = strict
    return found


def _to_schema(schema: Any) -> dict[str, Any]:
    if schema is None:
        raise _wrong("this field is required.", "schema")
    if not isinstance(schema, dict):
        raise _wrong(_expected(schema), "schema")
    try:
        to_checker(schema)
    except BadSchema as bad:
        raise _wrong(bad.reason, "schema", *bad.place) from None
    return schema


def _expected(value: Any) -> str:
    return f"expected an object, got {kind(value)}."


def wrong_at(message: str, *place: str | int) -> ValidationError:
    """Return the error of something that stands below a field, so that it is named in full."""
    nested: Any = [message]
    for key in reversed(place):
        nested = {key: nested}
    return ValidationError(nested)


def _wrong(message: str, *place: str | int) -> ValidationError:
    return wrong_at(message, "json_schema", *place)


def ignored_in_format(raw: dict[str, Any]) -> set[str]:
    """Name the members that mean nothing, in a `response_format` that was taken."""
    of_schema = raw.get("type") == "json_schema"
    known = _MEMBERS | {"json_schema"} if of_schema else _MEMBERS
    names = {f"response_format.{name}" for name in _present(raw) - known}
    if of_schema:
        unknown = _present(raw["json_schema"]) - _MEMBERS_OF_SCHEMA
        names |= {f"response_format.json_schema.{name}" for name in unknown}
    return names


def _present(raw: dict[str, Any]) -> set[str]:
    return {name for name, value in raw.items() if value is not None}
