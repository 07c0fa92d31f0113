"""Answers in a form that was asked for: `response_format` on its way up, and the finished text.

Sources: OpenAI's ResponseFormatJsonSchema; Ollama's docs/api.md (`format`).
"""

from typing import Any

from tensoria.wire.openai import ResponseFormat


def to_format(response_format: ResponseFormat) -> str | dict[str, Any]:
    """Return Ollama's `format`: "json", or the schema alone."""
    if response_format["type"] == "json_object":
        return "json"
    return response_format["json_schema"]["schema"]
