"""`input`, `tools`, `tool_choice` and `text` of a response as JSON Schema."""

from typing import Any

from tensoria.openapi.tools import CHOICE, RESPONSE_FORMAT, TOOLS
from tensoria.schemas.images import MAX_IMAGES
from tensoria.schemas.tools import MAX_TOOLS

Shape = dict[str, Any]

_TEXT: Shape = {"type": ["string", "null"]}
_NAME: Shape = {"type": "string", "minLength": 1}
_PARTS: list[Shape] = [
    {
        "title": "Text",
        "type": "object",
        "required": ["type", "text"],
        "properties": {
            "type": {"enum": ["input_text", "output_text", "text"]},
            "text": {"type": "string"},
        },
    },
    {
        "title": "Refusal",
        "type": "object",
        "required": ["type", "refusal"],
        "properties": {"type": {"const": "refusal"}, "refusal": {"type": "string"}},
    },
]
_URL: Shape = {"type": "string", "pattern": r"^\s*[Dd][Aa][Tt][Aa]:[^,]{0,200},"}
_IMAGE: Shape = {
    "title": "Image",
    "description": f"A data URL, for models that see; at most {MAX_IMAGES} in one request.",
    "type": "object",
    "required": ["type", "image_url"],
    "properties": {"type": {"const": "input_image"}, "image_url": _URL},
}


def _content(parts: list[Shape]) -> Shape:
    return {"anyOf": [_TEXT, {"type": "array", "items": {"anyOf": parts}}]}


def _item(title: str, type_: str, required: list[str], **members: Shape) -> Shape:
    return {
        "title": title,
        "type": "object",
        "required": ["type", *required],
        "properties": {"type": {"const": type_}, "id": _TEXT, **members},
    }


def _message(title: str, roles: list[str], parts: list[Shape]) -> Shape:
    message = _item(title, "message", ["role"], role={"enum": roles}, content=_content(parts))
    message["properties"]["type"] = {"enum": ["message", None]}
    return {**message, "required": ["role"]}


_OUTPUT: Shape = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"anyOf": [*_PARTS, _IMAGE]}},
    ]
}
_THOUGHTS: Shape = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string"}},
    },
}
_ARGUMENTS: Shape = {
    "description": "A JSON object, as a string or as it is.",
    "type": ["string", "object", "null"],
    "contentMediaType": "application/json",
}
INPUT: Shape = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "array",
            "items": {
                "anyOf": [
                    _message("What is asked", ["user"], [*_PARTS, _IMAGE]),
                    _message(
                        "Instructions, or an earlier answer",
                        ["assistant", "developer", "system"],
                        _PARTS,
                    ),
                    _item(
                        "A call of a function",
                        "function_call",
                        ["call_id", "name"],
                        call_id=_NAME,
                        name=_NAME,
                        arguments=_ARGUMENTS,
                    ),
                    _item(
                        "What a function returned",
                        "function_call_output",
                        ["call_id", "output"],
                        call_id=_NAME,
                        output=_OUTPUT,
                    ),
                    _item(
                        "A call of a custom tool",
                        "custom_tool_call",
                        ["call_id", "name", "input"],
                        call_id=_NAME,
                        name=_NAME,
                        input={"type": "string"},
                    ),
                    _item(
                        "What a custom tool returned",
                        "custom_tool_call_output",
                        ["call_id", "output"],
                        call_id=_NAME,
                        output=_OUTPUT,
                    ),
                    _item(
                        "A thought",
                        "reasoning",
                        [],
                        summary=_THOUGHTS,
                        content=_THOUGHTS,
                        encrypted_content=_TEXT,
                    ),
                ]
            },
        },
    ]
}
_FUNCTION_NAME: Shape = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}
_NAMED: Shape = {
    "title": "A function by name",
    "type": "object",
    "required": ["type", "name"],
    "properties": {"type": {"const": "function"}, "name": _FUNCTION_NAME},
}
RESPONSE_TOOLS: Shape = {
    "type": "array",
    "maxItems": MAX_TOOLS,
    "items": {
        "anyOf": [
            {
                "title": "A function",
                "type": "object",
                "required": ["type", "name"],
                "properties": {
                    "type": {"const": "function"},
                    **TOOLS["items"]["anyOf"][0]["properties"]["function"]["properties"],
                },
            },
            TOOLS["items"]["anyOf"][1],
        ]
    },
}
RESPONSE_CHOICE: Shape = {
    "anyOf": [
        CHOICE["anyOf"][0],
        _NAMED,
        {
            "title": "Some of the functions",
            "type": "object",
            "required": ["type", "mode", "tools"],
            "properties": {
                "type": {"const": "allowed_tools"},
                "mode": {"enum": ["auto", "required"]},
                "tools": {"type": "array", "minItems": 1, "items": _NAMED},
            },
        },
    ]
}
_JSON_SCHEMA: Shape = RESPONSE_FORMAT["anyOf"][1]["properties"]["json_schema"]
TEXT: Shape = {
    "type": "object",
    "properties": {
        "format": {
            "anyOf": [
                RESPONSE_FORMAT["anyOf"][0],
                {
                    "title": "JSON to a schema",
                    "type": "object",
                    "required": ["type", "schema"],
                    "properties": {
                        "type": {"const": "json_schema"},
                        **_JSON_SCHEMA["properties"],
                    },
                },
                {"type": "null"},
            ]
        }
    },
}
