"""The fields of Anthropic's messages as JSON Schema."""

from typing import Any

from marshmallow import fields

from tensoria.schemas.chat import MAX_STOPS
from tensoria.schemas.message_fields import (
    DISPLAYS,
    EFFORTS,
    ROLES,
    THINKING,
    Metadata,
    OutputConfigField,
    OutputFormat,
    System,
    Thinking,
    Turns,
)
from tensoria.schemas.message_tools import MessageToolChoice, MessageTools
from tensoria.schemas.messages import Stops
from tensoria.schemas.tools import MAX_TOOLS

Shape = dict[str, Any]

_TEXT: Shape = {"type": "string"}
_OPTIONAL_TEXT: Shape = {"type": ["string", "null"]}
_OPTIONAL_FLAG: Shape = {"type": ["boolean", "null"]}


def _block(type_: str, required: tuple[str, ...] = (), **members: Shape) -> Shape:
    return {
        "title": f"A block: {type_}",
        "type": "object",
        "required": ["type", *required],
        "properties": {"type": {"const": type_}, **members},
    }


def _content(*blocks: Shape) -> Shape:
    return {
        "anyOf": [
            {"type": ["string", "null"]},
            {"type": "array", "items": {"anyOf": list(blocks)}},
        ]
    }


_TEXT_BLOCK = _block("text", ("text",), text=_TEXT)
_IMAGE = _block(
    "image",
    ("source",),
    source={
        "type": "object",
        "required": ["type", "data"],
        "properties": {
            "type": {"const": "base64"},
            "media_type": {},
            "data": {"type": "string", "contentEncoding": "base64"},
        },
    },
)
_TEXT_SOURCE: Shape = {
    "type": "object",
    "required": ["type", "data"],
    "properties": {"type": {"const": "text"}, "data": _TEXT},
}
_DOCUMENT = _block(
    "document", ("source",), source=_TEXT_SOURCE, title=_OPTIONAL_TEXT, context=_OPTIONAL_TEXT
)
_FOUND = _block(
    "search_result",
    ("source", "title", "content"),
    source=_TEXT,
    title=_TEXT,
    content={"type": "array", "items": _TEXT_BLOCK},
)
_RESULT = _block(
    "tool_result",
    ("tool_use_id",),
    tool_use_id=_OPTIONAL_TEXT,
    is_error=_OPTIONAL_FLAG,
    content=_content(_TEXT_BLOCK, _IMAGE, _DOCUMENT, _FOUND),
)
_USE = _block(
    "tool_use",
    ("name",),
    id=_OPTIONAL_TEXT,
    name={"type": "string", "minLength": 1},
    input={"type": ["object", "null"]},
)
_THINKING = _block("thinking", ("thinking",), thinking=_TEXT, signature={})
_REDACTED = _block("redacted_thinking", data={})
_OF_ROLE: dict[str, Shape] = {
    "assistant": _content(_TEXT_BLOCK, _THINKING, _REDACTED, _USE),
    "system": _content(_TEXT_BLOCK),
    "user": _content(_TEXT_BLOCK, _IMAGE, _DOCUMENT, _FOUND, _RESULT),
}
_FORMAT: Shape = {
    "type": "object",
    "required": ["type", "schema"],
    "properties": {
        "type": {"const": "json_schema"},
        "schema": {
            "description": "References within it only, patterns without look-around.",
            "type": "object",
        },
    },
}
_OWN_TOOL: Shape = {
    "title": "A tool of yours",
    "type": "object",
    "required": ["name"],
    "properties": {
        "type": {"enum": ["custom", None]},
        "name": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,128}$"},
        "description": _OPTIONAL_TEXT,
        "input_schema": {
            "description": "A JSON schema of the input.",
            "type": ["object", "null"],
        },
    },
}
_OTHER_TOOL: Shape = {
    "title": "A tool of Anthropic's, which is left out",
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"not": {"enum": ["custom", None]}}},
}


def _turn(role: str) -> Shape:
    return {
        "title": f"A message: {role}",
        "type": "object",
        "required": ["role"],
        "properties": {"role": {"const": role}, "content": _OF_ROLE[role]},
    }


# By the class of the field.
SHAPES: dict[type[fields.Field[Any]], Shape] = {
    Turns: {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [_turn(role) for role in ROLES]},
    },
    System: {"anyOf": [_TEXT, {"type": "array", "items": _TEXT_BLOCK}]},
    MessageTools: {
        "type": "array",
        "maxItems": MAX_TOOLS,
        "items": {"anyOf": [_OWN_TOOL, _OTHER_TOOL]},
    },
    MessageToolChoice: {
        "anyOf": [
            {
                "type": "object",
                "required": ["type"],
                "properties": {
                    "type": {"enum": ["any", "auto", "none"]},
                    "disable_parallel_tool_use": _OPTIONAL_FLAG,
                },
            },
            {
                "type": "object",
                "required": ["type", "name"],
                "properties": {
                    "type": {"const": "tool"},
                    "name": _TEXT,
                    "disable_parallel_tool_use": _OPTIONAL_FLAG,
                },
            },
        ]
    },
    Thinking: {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"enum": list(THINKING)},
            "display": {"enum": [*DISPLAYS, None]},
        },
    },
    OutputConfigField: {
        "type": "object",
        "properties": {
            "effort": {"enum": [*EFFORTS, None]},
            "format": {"anyOf": [_FORMAT, {"type": "null"}]},
        },
    },
    OutputFormat: _FORMAT,
    Metadata: {"type": "object", "properties": {"user_id": _OPTIONAL_TEXT}},
    Stops: {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "maxItems": MAX_STOPS,
    },
}
