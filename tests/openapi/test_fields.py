"""The shape of each kind of field: what the schema takes fits it, and what it refuses does not."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from marshmallow import fields

from tensoria.openapi.fields import or_null, to_shape

CHAT, TEXT, EMBEDDING = "ChatRequest", "CompletionRequest", "EmbeddingRequest"
CALL = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f"}}
SCHEMA = {"type": "json_schema", "json_schema": {"schema": {}}}

GOOD: list[tuple[str, str, Any]] = [
    (CHAT, "messages", [{"role": "user", "content": "Hi"}]),
    (CHAT, "messages", [{"role": "developer", "content": [{"type": "text", "text": "Hi"}]}]),
    (CHAT, "messages", [{"role": "assistant", "content": None, "tool_calls": [CALL]}]),
    (CHAT, "messages", [{"role": "user", "content": "Hi", "tool_calls": "of no effect"}]),
    (CHAT, "model", ""),
    (CHAT, "max_tokens", -1),
    (CHAT, "max_tokens", None),
    (CHAT, "seed", 5.0),
    (CHAT, "stop", "x"),
    (CHAT, "stop", []),
    (CHAT, "think", "high"),
    (CHAT, "think", True),
    (CHAT, "reasoning", {"effort": None}),
    (CHAT, "logit_bias", {"50256": -100}),
    (CHAT, "keep_alive", "1h30m"),
    (CHAT, "keep_alive", "-1"),
    (CHAT, "keep_alive", ""),
    (CHAT, "functions", []),
    (CHAT, "audio", None),
    (CHAT, "verbosity", {"any": "thing"}),
    (CHAT, "options", {"top_k": None, "of_another_engine": 1}),
    (CHAT, "tools", [TOOL, {"type": "web_search"}]),
    (CHAT, "tool_choice", TOOL),
    (CHAT, "response_format", SCHEMA),
    (TEXT, "prompt", ["a", "b"]),
    (EMBEDDING, "encoding_format", "base64"),
]
BAD: list[tuple[str, str, Any]] = [
    (CHAT, "messages", None),
    (CHAT, "messages", []),
    (CHAT, "messages", [{"role": "nobody"}]),
    (CHAT, "messages", [{"role": "assistant", "tool_calls": "a"}]),
    (CHAT, "messages", [{"role": "user", "content": [{"type": "input_audio"}]}]),
    (CHAT, "model", "x" * 1001),
    (CHAT, "max_tokens", 0),
    (CHAT, "seed", 5.5),
    (CHAT, "stop", ["a", ""]),
    (CHAT, "think", "a bit"),
    (CHAT, "temperature", 2.1),
    (CHAT, "logit_bias", {"word": 1}),
    (CHAT, "keep_alive", "5 minutes"),
    (CHAT, "functions", [{"name": "f"}]),
    (CHAT, "audio", {}),
    (CHAT, "options", {"top_k": "many"}),
    (CHAT, "tools", [{"type": "function"}]),
    (CHAT, "tool_choice", "maybe"),
    (CHAT, "response_format", {"type": "json_schema"}),
    (TEXT, "prompt", ""),
    (EMBEDDING, "input", []),
    (EMBEDDING, "encoding_format", "hex"),
]


def fits(document: dict[str, Any], request: str, field: str, value: Any) -> bool:
    shape = document["components"]["schemas"][request]["properties"][field]
    return Draft202012Validator(shape).is_valid(value)


@pytest.mark.parametrize(("request_", "field", "value"), GOOD)
def test_what_is_taken_fits(
    document: dict[str, Any], request_: str, field: str, value: Any
) -> None:
    assert fits(document, request_, field, value)


@pytest.mark.parametrize(("request_", "field", "value"), BAD)
def test_what_is_refused_does_not_fit(
    document: dict[str, Any], request_: str, field: str, value: Any
) -> None:
    assert not fits(document, request_, field, value)


def test_a_field_without_a_shape_stops_here() -> None:
    with pytest.raises(TypeError, match="Email"):
        to_shape(fields.Email())


def test_null_fits_beside_several_types() -> None:
    assert or_null({"type": ["string", "object"]}) == {"type": ["string", "object", "null"]}
