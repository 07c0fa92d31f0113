"""`tools`, `tool_choice` and `response_format` as JSON Schema."""

from typing import Any

from tensoria.schemas.tools import MAX_TOOLS

Shape = dict[str, Any]

_NAME: Shape = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}
_NAMED: Shape = {
    "title": "A function by name",
    "type": "object",
    "required": ["type", "function"],
    "properties": {
        "type": {"const": "function"},
        "function": {"type": "object", "required": ["name"], "properties": {"name": _NAME}},
    },
}

TOOLS: Shape = {
    "type": "array",
    "maxItems": MAX_TOOLS,
    "items": {
        "anyOf": [
            {
                "title": "A function",
                "type": "object",
                "required": ["type", "function"],
                "properties": {
                    "type": {"const": "function"},
                    "function": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": _NAME,
                            "description": {"type": ["string", "null"]},
                            "parameters": {
                                "description": "A JSON schema of the arguments.",
                                "type": ["object", "null"],
                            },
                        },
                    },
                },
            },
            {
                "title": "Another kind, which is left out",
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"type": "string", "not": {"const": "function"}}},
            },
        ]
    },
}

CHOICE: Shape = {
    "anyOf": [
        {"type": "string", "enum": ["none", "auto", "required"]},
        _NAMED,
        {
            "title": "Some of the functions",
            "type": "object",
            "required": ["type", "allowed_tools"],
            "properties": {
                "type": {"const": "allowed_tools"},
                "allowed_tools": {
                    "type": "object",
                    "required": ["mode", "tools"],
                    "properties": {
                        "mode": {"enum": ["auto", "required"]},
                        "tools": {"type": "array", "minItems": 1, "items": _NAMED},
                    },
                },
            },
        },
    ]
}

_JSON_SCHEMA: Shape = {
    "type": "object",
    "required": ["schema"],
    "properties": {
        "name": {"type": ["string", "null"], "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        "description": {"type": ["string", "null"]},
        "schema": {
            "description": "References within it only, patterns without look-around.",
            "type": "object",
        },
        "strict": {"type": ["boolean", "null"]},
    },
}

RESPONSE_FORMAT: Shape = {
    "anyOf": [
        {
            "title": "Text, or any JSON object",
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"enum": ["text", "json_object"]}},
        },
        {
            "title": "JSON to a schema",
            "type": "object",
            "required": ["type", "json_schema"],
            "properties": {"type": {"const": "json_schema"}, "json_schema": _JSON_SCHEMA},
        },
    ]
}
