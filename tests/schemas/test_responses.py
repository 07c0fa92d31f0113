"""The body of a response: every field that OpenAI has, and what becomes of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tensoria.errors import RequestError, UnsupportedParameter
from tensoria.schemas.responses import ResponseSchema, load
from tensoria.schemas.support import narrow, table
from tensoria.translate.traits import Traits
from tensoria.wire.responses import ResponseRequest
from tests.schemas.taken import taken

CONTRACT = json.loads(
    (Path(__file__).parent.parent / "contract" / "openai.schema.json").read_text()
)["$defs"]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
LOGPROBS, SEALED = "message.output_text.logprobs", "reasoning.encrypted_content"


def request(**members: Any) -> dict[str, Any]:
    """The checked request without what every body here has."""
    loaded: dict[str, Any] = {**load({"input": "Hi", **members}).request}
    del loaded["input"], loaded["echo"]
    return loaded


def echo(**members: Any) -> dict[str, Any]:
    return {**load({"input": "Hi", **members}).request["echo"]}


def ignored(**members: Any) -> tuple[str, ...]:
    return load({"input": "Hi", **members}).ignored


def refusal(**members: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load({"input": "Hi", **members})
    return caught.value


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return properties(CONTRACT[schema["$ref"].rpartition("/")[2]])
    found: dict[str, Any] = {}
    for part in schema.get("allOf", ()):
        found |= properties(part)
    return found | schema.get("properties", {})


def test_every_field_of_openai_is_in_the_table() -> None:
    assert properties(CONTRACT["CreateResponse"]).keys() <= table(ResponseSchema).keys()


def test_the_checked_request_has_the_fields_that_count() -> None:
    kept_by_memory = {"background", "conversation", "previous_response_id", "store"}
    more = {"echo", "user"} | kept_by_memory

    assert taken(ResponseSchema) | more == (
        ResponseRequest.__annotations__.keys() - {"reasoning_effort"}
    )


# (field, value sent, value in the checked request)
TAKEN: list[tuple[str, Any, Any]] = [
    ("model", "m", "m"),
    ("instructions", "Be brief.", "Be brief."),
    ("stream", True, True),
    ("temperature", 2, 2),
    ("top_p", 0, 0),
    ("max_output_tokens", 7, 7),
    ("max_output_tokens", -1, -1),
    ("text", {"format": {"type": "json_object"}}, {"format": {"type": "json_object"}}),
    (
        "text",
        {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}},
        {
            "format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    ("reasoning", {"effort": "low"}, {"effort": "low"}),
    ("reasoning", {"summary": "auto"}, {"summary": "auto"}),
    ("reasoning", {"generate_summary": "concise"}, {"summary": "concise"}),
    ("include", [LOGPROBS, SEALED], [LOGPROBS, SEALED]),
    ("metadata", {"a": "b"}, {"a": "b"}),
    ("background", True, True),
    ("conversation", "conv_1", "conv_1"),
    ("conversation", {"id": "conv_1"}, "conv_1"),
    ("previous_response_id", "resp_1", "resp_1"),
    ("store", True, True),
    ("store", False, False),
    ("user", "u", "u"),
    ("safety_identifier", "s", "s"),
    ("seed", 5, 5),
    ("stop", "END", ["END"]),
    ("think", False, False),
    ("enable_thinking", True, True),
    ("top_k", 9, 9),
    ("keep_alive", "5m", "5m"),
]
# Values that say nothing, and pass without a word.
NOTHING: list[tuple[str, Any]] = [
    ("text", {"format": {"type": "text"}}),
    ("text", {"format": None, "verbosity": "medium"}),
    ("text", {}),
    ("tools", []),
    ("tool_choice", "auto"),
    ("parallel_tool_calls", True),
    ("reasoning", {"effort": None, "summary": None}),
    ("include", []),
    ("metadata", {}),
    ("background", False),
    ("truncation", "disabled"),
    ("service_tier", "auto"),
    ("top_logprobs", 0),
    ("stream_options", {"include_obfuscation": False}),
    ("context_management", []),
    ("prompt", None),
    ("previous_response_id", None),
]


@pytest.mark.parametrize(("name", "sent", "kept"), TAKEN)
def test_a_field_is_taken(name: str, sent: Any, kept: Any) -> None:
    assert request(**{name: sent}) == {name: kept}
    assert ignored(**{name: sent}) == ()


@pytest.mark.parametrize(("name", "sent"), NOTHING)
def test_a_default_says_nothing(name: str, sent: Any) -> None:
    assert request(**{name: sent}) == {}
    assert ignored(**{name: sent}) == ()


# (field, value sent, the place that the error names, a part of its message)
WRONG: list[tuple[str, Any, str, str]] = [
    ("instructions", 5, "instructions", "expected a string"),
    ("stream", "on", "stream", "expected true or false"),
    ("max_output_tokens", 0, "max_output_tokens", "0 is not between 1"),
    ("text", 5, "text", "expected an object"),
    ("text", {"format": 5}, "text.format", "expected an object"),
    ("text", {"format": {"type": "odd"}}, "text.format.type", "text, json_object, json_schema"),
    ("text", {"format": {"type": "json_schema"}}, "text.format.schema", "is required"),
    (
        "text",
        {"format": {"type": "json_schema", "name": "a b", "schema": SCHEMA}},
        "text.format.name",
        "up to 64 letters",
    ),
    (
        "text",
        {"format": {"type": "json_schema", "schema": {"properties": {"a": {"type": "odd"}}}}},
        "text.format.schema.properties.a.type",
        "",
    ),
    ("reasoning", 5, "reasoning", "expected an object"),
    ("reasoning", {"effort": "odd"}, "reasoning.effort", "expected one of none"),
    ("reasoning", {"effort": 5}, "reasoning.effort", "expected a string"),
    ("reasoning", {"summary": "odd"}, "reasoning.summary", "auto, concise, detailed"),
    ("include", "a", "include", "an array of strings"),
    ("include", [5], "include", "an array of strings"),
    ("metadata", 5, "metadata", "expected an object"),
    ("metadata", {"a": 5}, "metadata.a", "expected a string"),
    ("metadata", {str(n): "" for n in range(17)}, "metadata", "at most 16 pairs"),
    ("metadata", {"a" * 65: ""}, "metadata", "at most 64 characters"),
    ("metadata", {"a": "b" * 513}, "metadata", "texts of 512"),
    ("stream_options", 5, "stream_options", "expected an object"),
    ("conversation", 5, "conversation", "expected an id"),
    ("conversation", {"id": ""}, "conversation", "expected an id"),
    ("background", 1, "background", "expected true or false"),
]


@pytest.mark.parametrize(("name", "sent", "param", "message"), WRONG)
def test_a_wrong_value_is_refused_by_its_place(
    name: str, sent: Any, param: str, message: str
) -> None:
    error = refusal(**{name: sent})

    assert error.param == param
    assert message in error.message


@pytest.mark.parametrize("body", [{}, {"input": []}, {"instructions": ""}, {"input": None}])
def test_a_body_that_asks_nothing_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        load(body)

    assert caught.value.param == "input"


def test_instructions_alone_are_enough() -> None:
    assert load({"instructions": "Say something."}).request["input"] == []


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"odd": 1, "input": "Hi"}, ("odd",)),
        ({"text": {"verbosity": "low", "odd": 1}}, ("text.odd", "text.verbosity")),
        ({"text": {"format": {"type": "text", "odd": 1}}}, ("text.format.odd",)),
        (
            {"reasoning": {"effort": "low", "mode": "pro", "context": None}},
            ("reasoning.mode",),
        ),
        ({"top_logprobs": 3}, ("top_logprobs",)),
        ({"think": True, "reasoning": {"effort": "none"}}, ("reasoning.effort",)),
        ({"max_output_tokens": 5, "options": {"num_predict": 6}}, ("options.num_predict",)),
    ],
)
def test_what_has_no_effect_is_named(members: dict[str, Any], names: tuple[str, ...]) -> None:
    assert ignored(**members) == names


def test_of_two_efforts_the_summary_is_left() -> None:
    found = request(think=True, reasoning={"effort": "none", "summary": "auto"})

    assert found == {"think": True, "reasoning": {"summary": "auto"}}


def test_options_are_spread() -> None:
    found = request(options={"num_predict": 6, "top_k": 3, "num_ctx": 1})

    assert found == {"max_output_tokens": 6, "top_k": 3, "options": {"num_ctx": 1}}


def test_a_limit_of_its_own_wins_over_that_of_the_options() -> None:
    assert request(max_output_tokens=5, options={"num_predict": 6}) == {"max_output_tokens": 5}


def test_no_limit_is_left_where_none_is_named() -> None:
    assert request(max_output_tokens=-1, options={"top_k": 3}) == {"top_k": 3}


def test_what_is_in_force_is_told_again() -> None:
    assert echo() == {
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
        "user": None,
    }


def test_what_was_asked_is_told_again() -> None:
    form = {"type": "json_schema", "name": "n", "schema": SCHEMA}
    found = echo(
        model="m",
        instructions="Be brief.",
        max_output_tokens=7,
        max_tool_calls=3,
        reasoning={"effort": "low", "summary": "auto"},
        text={"format": form},
        user="u",
        prompt_cache_key="k",
    )

    assert found["model"] == "m"
    assert found["instructions"] == "Be brief."
    assert (found["max_output_tokens"], found["max_tool_calls"]) == (7, 3)
    assert found["reasoning"] == {"effort": "low", "summary": "auto"}
    assert found["text"] == {"format": form}
    assert (found["user"], found["prompt_cache_key"]) == ("u", "k")


def test_any_json_is_told_again_and_no_limit_as_none() -> None:
    assert echo(text={"format": {"type": "json_object"}}, max_output_tokens=-1) == echo() | {
        "text": {"format": {"type": "json_object"}}
    }


OLLAMA = Traits("ollama", "m", (0, 24, 0), frozenset({"completion"}))


def told(traits: Traits = OLLAMA, **members: Any) -> tuple[str, ...]:
    loaded = load({"input": "Hi", **members})
    return narrow(ResponseSchema, loaded, lambda: traits, strict=False)


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"reasoning": {"effort": "high"}}, ("reasoning.effort",)),
        ({"reasoning": {"summary": "auto"}}, ()),
        (
            {"include": [SEALED, "code_interpreter_call.outputs"]},
            ("include.code_interpreter_call.outputs",),
        ),
        ({"include": [LOGPROBS]}, ()),
        ({"truncation": "auto"}, ("truncation",)),
        ({"stream_options": {"include_obfuscation": True}}, ("stream_options",)),
    ],
)
def test_what_an_engine_does_not_hear_is_named(
    members: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert told(**members) == names


def test_probabilities_that_an_old_engine_does_not_tell_are_refused() -> None:
    old = Traits("ollama", "m", (0, 12, 10), frozenset({"completion"}))
    with pytest.raises(UnsupportedParameter) as caught:
        told(old, include=[LOGPROBS])

    assert caught.value.param == "include"


def test_a_prompt_that_nobody_keeps_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        told(prompt={"id": "pmpt_1"})

    assert caught.value.param == "prompt"
