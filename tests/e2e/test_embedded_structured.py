"""Answers in a form, from a real engine and through the real service, to OpenAI's own client."""

import json
from typing import Any

import jsonschema
import openai
import pytest
from pydantic import BaseModel

pytestmark = pytest.mark.e2e

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "city": {"enum": ["Porto", "Lisbon"]},
    },
    "required": ["name", "age", "city"],
    "additionalProperties": False,
}
FORM: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
ASK: Any = [{"role": "user", "content": "Maria is 34 and lives in Porto. Who is she, as JSON?"}]
LIMITS: Any = {"model": "smollm2:135m", "temperature": 0, "max_tokens": 100}


class Person(BaseModel):
    """What a program would ask for."""

    name: str
    age: int


def test_answer_validates_by_another_validator(embedded: openai.OpenAI) -> None:
    answer = embedded.chat.completions.create(messages=ASK, response_format=FORM, **LIMITS)
    assert answer.choices[0].finish_reason == "stop"
    person = json.loads(answer.choices[0].message.content or "")
    jsonschema.validate(person, PERSON)
    assert list(person) == ["name", "age", "city"]


def test_streamed_answer_validates(embedded: openai.OpenAI) -> None:
    with embedded.chat.completions.create(
        messages=ASK, response_format=FORM, stream=True, **LIMITS
    ) as chunks:
        choices = [choice for chunk in chunks for choice in chunk.choices]
    assert choices[-1].finish_reason == "stop"
    text = "".join(choice.delta.content or "" for choice in choices)
    jsonschema.validate(json.loads(text), PERSON)


def test_json_object_is_an_object_or_cut_by_length(embedded: openai.OpenAI) -> None:
    """The small model may go on and on; what it finishes is one object."""
    asked = {**LIMITS, "max_tokens": 300}
    answer = embedded.chat.completions.create(
        messages=ASK, response_format={"type": "json_object"}, **asked
    )
    (choice,) = answer.choices
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(choice.message.content or ""), dict)
    else:
        assert choice.finish_reason == "length"
        assert (choice.message.content or "").lstrip()[:1] == "{"


def test_clients_own_model_is_parsed(embedded: openai.OpenAI) -> None:
    answer = embedded.chat.completions.parse(messages=ASK, response_format=Person, **LIMITS)
    assert isinstance(answer.choices[0].message.parsed, Person)


def test_answer_that_only_the_check_can_tell_is_found_out(
    embedded: openai.OpenAI,
) -> None:
    """llama.cpp's grammar knows nothing of `not`: only the check of the finished answer does."""
    schema = {"type": "string", "enum": ["a", "b"], "not": {"enum": ["a", "b"]}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "none", "schema": schema}}
    with pytest.raises(openai.APIStatusError) as caught:
        embedded.chat.completions.create(messages=ASK, response_format=form, **LIMITS)
    assert caught.value.status_code == 502
    assert caught.value.code == "structured_output_invalid"


def test_schema_that_the_engine_cannot_use_is_named(embedded: openai.OpenAI) -> None:
    form: Any = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": "string", "minLength": 100_000}},
    }
    with pytest.raises(openai.APIStatusError) as caught:
        embedded.chat.completions.create(messages=ASK, response_format=form, **LIMITS)
    assert (caught.value.status_code, caught.value.param) == (400, "response_format")
