"""The smaller fields of a response as JSON Schema."""

from typing import Any

from tensoria.schemas.reasoning import LEVELS
from tensoria.schemas.response_options import MAX_KEY, MAX_PAIRS, MAX_VALUE, SUMMARIES

Shape = dict[str, Any]

_SUMMARY: Shape = {"enum": [*SUMMARIES, None]}

CONVERSATION: Shape = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "minLength": 1}},
        },
    ]
}
INCLUDE: Shape = {"type": "array", "items": {"type": "string"}}
METADATA: Shape = {
    "type": "object",
    "maxProperties": MAX_PAIRS,
    "propertyNames": {"maxLength": MAX_KEY},
    "additionalProperties": {"type": "string", "maxLength": MAX_VALUE},
}
REASONING: Shape = {
    "type": "object",
    "properties": {
        "effort": {"type": ["string", "null"], "enum": [*LEVELS, None]},
        "summary": _SUMMARY,
        "generate_summary": _SUMMARY,
    },
}
STREAM_OPTIONS: Shape = {"type": "object"}
