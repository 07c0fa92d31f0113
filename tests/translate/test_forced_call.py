"""Forced calls: the request that the engine gets, and its answer made into a call."""

from typing import Any

import pytest

from tensoria.errors import BackendError
from tensoria.translate.chunks import ToCompletion, to_chunk
from tensoria.translate.forced_call import ForcedCall, call_schema, forced_tools, to_forced
from tensoria.wire.openai import Chunk, Tool
from tests.translate.tooling import (
    FRAME,
    TIME,
    TOOLS,
    WEATHER,
    calls_of,
    cuts,
    deltas_of,
    reason_of,
    said,
    text_of,
)

CALL = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
NAMED = {"type": "function", "function": {"name": "get_weather"}}
WEATHER_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"const": "get_weather"},
        "arguments": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
    "required": ["name", "arguments"],
    "additionalProperties": False,
}
TIME_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"const": "get_time"},
        "arguments": {"type": "object", "properties": {}},
    },
    "required": ["name", "arguments"],
    "additionalProperties": False,
}


def request(choice: object, *roles: str) -> Any:
    messages = [{"role": role, "content": role} for role in roles or ("user",)]
    return {"messages": messages, "tools": TOOLS, "tool_choice": choice, "seed": 7}


def tool_with(parameters: dict[str, Any]) -> Tool:
    return {"type": "function", "function": {"name": "f", "parameters": parameters}}


@pytest.mark.parametrize(("choice", "tools"), [("required", TOOLS), (NAMED, [WEATHER])])
def test_tools_that_may_be_called(choice: object, tools: list[Tool]) -> None:
    assert forced_tools(request(choice)) == tools


def test_schema_of_one_tool() -> None:
    assert call_schema([WEATHER]) == WEATHER_SCHEMA


def test_schema_of_several_tools() -> None:
    assert call_schema(TOOLS) == {"anyOf": [WEATHER_SCHEMA, TIME_SCHEMA]}


def test_references_inside_of_parameters_still_hold() -> None:
    city = {"type": "object", "properties": {"in": {"$ref": "#/$defs/City"}, "like": {"$ref": "#"}}}
    tree = {
        "properties": {"a": {"anyOf": [{"$ref": "#/$defs/City"}, {"$ref": "https://x/y"}]}},
        "$defs": {"City": city},
    }
    schema = call_schema([TIME, tool_with(tree)])

    assert schema["anyOf"][0] == TIME_SCHEMA
    assert schema["anyOf"][1]["properties"]["arguments"] == {"$ref": "#/$defs/1"}
    assert schema["$defs"] == {
        "1": {
            "properties": {
                "a": {"anyOf": [{"$ref": "#/$defs/1/$defs/City"}, {"$ref": "https://x/y"}]}
            },
            "$defs": {
                "City": {
                    "type": "object",
                    "properties": {
                        "in": {"$ref": "#/$defs/1/$defs/City"},
                        "like": {"$ref": "#/$defs/1"},
                    },
                }
            },
        }
    }


def test_property_that_is_named_like_a_reference_stays() -> None:
    parameters = {"properties": {"$ref": {"type": "string"}}}

    schema = call_schema([tool_with(parameters)])

    assert schema["properties"]["arguments"] == parameters
    assert "$defs" not in schema


def test_request_has_a_schema_and_no_tools() -> None:
    asked = request(NAMED)
    forced: Any = to_forced({**asked, "parallel_tool_calls": False, "stop": ["\n"]})

    assert forced.keys() == {"messages", "response_format", "seed"}
    assert forced["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "tool_call", "schema": WEATHER_SCHEMA, "strict": True},
    }
    assert asked == request(NAMED)


def test_tools_are_told_behind_the_leading_system_messages() -> None:
    forced = to_forced(request(NAMED, "system", "developer", "user", "system"))
    told = forced["messages"].pop(2)

    assert told["role"] == "system"
    assert told["content"].endswith(
        '\n{"name":"get_weather","description":"Current weather of a city","parameters":'
        '{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},'
        '"required":["city"]}}'
    )
    assert "get_time" not in told["content"]
    assert [message["role"] for message in forced["messages"]] == [
        "system",
        "developer",
        "user",
        "system",
    ]


def test_tools_are_told_first_where_there_is_no_system_message() -> None:
    forced = to_forced(request("required"))

    assert [message["role"] for message in forced["messages"]] == ["system", "user"]
    assert len(forced["messages"][0]["content"].splitlines()) == 4


def test_conversation_of_system_messages_alone() -> None:
    forced = to_forced(request("required", "system"))

    assert [message["role"] for message in forced["messages"]] == ["system", "system"]


def run(answer: list[Chunk]) -> list[Chunk]:
    stage = ForcedCall(TOOLS)
    chunks = [out for chunk in answer for out in stage.feed([chunk])]
    assert stage.error is None
    return chunks


@pytest.mark.parametrize(
    "answer",
    [
        CALL,
        '{"arguments": {"city": "Oslo"}, "name": "get_weather"}',
        ' {\n"name"\n:\n"get_weather", "arguments" : {\n "city"\n\n:\n"Oslo"\n}\n\n}\n\n ',
    ],
    ids=["as asked", "alphabetical", "white space"],
)
def test_answer_is_a_call_wherever_it_is_cut(answer: str) -> None:
    for pieces in cuts(answer):
        chunks = run(said(*pieces))

        assert text_of(chunks) == ""
        assert calls_of(chunks) == [("get_weather", '{"city":"Oslo"}')]
        assert reason_of(chunks) == "tool_calls"


def test_sequence_of_the_chunks() -> None:
    chunks = run(said(CALL))

    assert [list(delta) for delta in deltas_of(chunks)] == [["role", "content"], ["tool_calls"], []]
    assert chunks[-1]["choices"] == []


def test_whole_answer_has_no_content() -> None:
    completion = ToCompletion()
    completion.feed(run(said(CALL)))
    message = completion.completion()["choices"][0]["message"]

    assert message["content"] is None
    assert message["tool_calls"][0]["function"]["arguments"] == '{"city":"Oslo"}'


def test_thoughts_pass_behind_the_role() -> None:
    thought = to_chunk(FRAME, {"reasoning_content": "Hm.", "reasoning": "Hm."})
    role = said()[0]
    stage = ForcedCall(TOOLS)

    assert stage.feed([role]) == []
    assert stage.feed([thought]) == [role, thought]
    assert stage.feed([thought]) == [thought]


def test_role_waits_for_the_first_letter() -> None:
    role, blank, begun, *_ = said("\n", "{")
    stage = ForcedCall(TOOLS)

    assert stage.feed([role, blank]) == []
    assert stage.feed([begun]) == [role]


@pytest.mark.parametrize("length", range(len(CALL)))
def test_cut_answer_has_no_call(length: int) -> None:
    chunks = run(said(CALL[:length], reason="length"))

    assert (text_of(chunks), calls_of(chunks), reason_of(chunks)) == ("", [], "length")


def test_answer_that_was_cut_behind_its_call_keeps_it() -> None:
    chunks = run(said(CALL, "\n", reason="length"))

    assert calls_of(chunks) == [("get_weather", '{"city":"Oslo"}')]
    assert reason_of(chunks) == "length"


@pytest.mark.parametrize(
    "answer",
    [
        " ",
        CALL[:-1],
        f"{CALL} So it is.",
        '{"city": "Oslo"}',
        '{"name": "get_weather", "arguments": {}}',
        '{"name": "delete_all", "arguments": {}}',
    ],
    ids=["nothing", "broken", "text after it", "other JSON", "arguments", "name"],
)
def test_other_answers_are_the_engines_fault(answer: str) -> None:
    stage = ForcedCall(TOOLS)
    role, text, finish, usage = said(answer)

    assert calls_of(stage.feed([role, text])) == []
    assert stage.error is None
    assert stage.feed([finish, usage]) == []
    assert isinstance(stage.error, BackendError)
    assert (stage.error.status, stage.error.param) == (502, "tool_choice")


@pytest.mark.parametrize("answer", ["Sure", "[", " \n```json"])
def test_text_is_refused_with_its_first_letter(answer: str) -> None:
    stage = ForcedCall(TOOLS)

    assert stage.feed([said()[0], to_chunk(FRAME, {"content": " "})]) == []
    assert stage.error is None
    assert stage.feed([to_chunk(FRAME, {"content": answer}), *said("more")]) == []
    assert stage.error is not None
