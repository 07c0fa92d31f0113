"""The `messages` of a chat as JSON Schema, one form for the assistant and one for the others."""

from typing import Any

from tensoria.schemas.chat_messages import ROLES
from tensoria.schemas.images import MAX_IMAGES

Shape = dict[str, Any]

_TEXT: Shape = {"type": ["string", "null"]}
_PARTS: list[Shape] = [
    {
        "title": "Text",
        "type": "object",
        "required": ["type", "text"],
        "properties": {
            "type": {"enum": ["text", "input_text", "output_text"]},
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
_URL: Shape = {
    "type": "string",
    "pattern": r"^\s*[Dd][Aa][Tt][Aa]:[^,]{0,200},",
    "description": "A data URL in base64 of a PNG, JPEG, GIF or (Ollama 0.10 on) WebP.",
}
_IMAGE: Shape = {
    "title": "Image",
    "description": f"For models that see; at most {MAX_IMAGES} in one request.",
    "type": "object",
    "required": ["type", "image_url"],
    "properties": {
        "type": {"enum": ["image_url", "input_image"]},
        "image_url": {
            "anyOf": [
                {"type": "object", "required": ["url"], "properties": {"url": _URL}},
                _URL,
            ]
        },
    },
}
_ARGUMENTS: Shape = {
    "description": "A JSON object, as a string or as it is.",
    "type": ["string", "object", "null"],
    "contentMediaType": "application/json",
}
_FUNCTION: Shape = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1}, "arguments": _ARGUMENTS},
}
_CALL: Shape = {
    "anyOf": [
        {
            "title": "Call of a function",
            "type": "object",
            "required": ["function"],
            "properties": {"id": _TEXT, "function": _FUNCTION},
        },
        {
            "title": "Call of a custom tool",
            "type": "object",
            "required": ["type", "custom"],
            "properties": {
                "id": _TEXT,
                "type": {"const": "custom"},
                "custom": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string", "minLength": 1}, "input": {}},
                },
            },
        },
    ]
}


def _message(title: str, roles: list[str], parts: list[Shape], **members: Shape) -> Shape:
    content = [_TEXT, {"type": "array", "items": {"anyOf": parts}}]
    return {
        "title": title,
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"type": "string", "enum": roles},
            "content": {"anyOf": content},
            "name": _TEXT,
            "tool_call_id": _TEXT,
            "audio": {"type": "null"},
            **members,
        },
    }


_INSTRUCTING = ["developer", "system"]
_ASKING = sorted(ROLES - {"assistant", *_INSTRUCTING})
MESSAGES: Shape = {
    "type": "array",
    "minItems": 1,
    "items": {
        "anyOf": [
            _message("What is asked, and results of tools", _ASKING, [*_PARTS, _IMAGE]),
            _message("Instructions", _INSTRUCTING, _PARTS),
            _message(
                "An earlier answer",
                ["assistant"],
                [*_PARTS, _IMAGE],
                tool_calls={"type": ["array", "null"], "items": _CALL},
                reasoning_content={"description": "Its thoughts, a string; also `reasoning`."},
            ),
        ]
    },
}
