"""Recordings of chats with tools, asked for as clients of OpenAI's ask."""

import json
import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.expectations import Called, Refused
from tests.expectations.checks import (
    MODEL,
    REPLAYED,
    STREAMING,
    Replay,
    check_refusal,
    each,
    events,
    gateway,
)
from tests.fake_ollama import FakeOllama, Recording, model_entry, replay

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "name of the city"}},
            "required": ["city"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Current time in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def ask(
    fake: FakeOllama, messages: list[Any], tools: list[Any], *, streaming: bool
) -> TestResponse:
    body: dict[str, Any] = {"model": MODEL, "messages": messages, "tools": tools}
    if streaming:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    response = gateway(fake).post("/v1/chat/completions", json=body)
    response.get_data()
    response.close()
    return response


@each(Called)
@REPLAYED
@STREAMING
def test_tools_are_called(
    recording: Recording, expected: Called, replayed: Replay, streaming: bool
) -> None:
    messages = list(expected.messages) or recording.request["messages"]
    tools = [WEATHER, TIME][: len(recording.request["tools"])]
    with FakeOllama(recording.release) as fake:
        fake.models = [model_entry(MODEL, capabilities=("completion", "tools"))]
        fake.script("/api/chat", replayed(recording))
        response = ask(fake, messages, tools, streaming=streaming)
        sent = fake.received("/api/chat")[0].json
    assert sent["tools"] == recording.request["tools"]
    assert sent["messages"] == recording.request["messages"]
    assert response.status_code == 200, response.get_data(as_text=True)
    if streaming:
        check_stream(events(response), expected)
    else:
        check_whole(response.get_json(), expected)


def check_whole(body: Any, expected: Called) -> None:
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    check_calls(choice["message"]["tool_calls"], expected)
    check_usage(body["usage"], expected)


def check_stream(found: list[Any], expected: Called) -> None:
    """The sequence: role, one delta for each whole call, finish chunk, usage, `[DONE]`."""
    first, *said, finish, usage, done = found
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    deltas = [chunk["choices"][0]["delta"] for chunk in said]
    assert [list(delta) for delta in deltas] == [["tool_calls"]] * len(expected.calls)
    calls = [call for delta in deltas for call in delta["tool_calls"]]
    assert [call["index"] for call in calls] == list(range(len(expected.calls)))
    check_calls(calls, expected)
    assert finish["choices"][0]["delta"] == {}
    assert finish["choices"][0]["finish_reason"] == "tool_calls"
    check_usage(usage["usage"], expected)
    assert done == "[DONE]"


def check_calls(calls: list[Any], expected: Called) -> None:
    assert {call["type"] for call in calls} == {"function"}
    told = [(call["function"]["name"], call["function"]["arguments"]) for call in calls]
    assert told == list(expected.calls)
    for call, id_ in zip(calls, expected.ids, strict=True):
        assert call["id"] == id_ or (id_ is None and re.fullmatch(r"call_\w{24}", call["id"]))


def check_usage(usage: Any, expected: Called) -> None:
    assert usage["prompt_tokens"] == expected.prompt_tokens
    assert usage["completion_tokens"] == expected.completion_tokens


# (release, recording of /api/show, whether its model can have tools)
OFFERED = [
    ("0.9.6", "show-tools", True),
    ("0.24.0", "show-tools", True),
    ("0.32.15", "show-tools", True),
    ("0.24.0", "own-show-tools", False),
    ("0.32.15", "own-show-tools", True),
    ("0.9.6", "show-chat", False),
]


@pytest.mark.parametrize(("release", "name", "able"), OFFERED)
@STREAMING
def test_tools_are_refused_where_the_model_says_it_has_no_place_for_them(
    release: str, name: str, able: bool, streaming: bool
) -> None:
    with FakeOllama(release) as fake:
        # 0.30 and later tell it in the list too.
        told = json.loads(Recording.load(release, name).body)["capabilities"]
        fake.models = [model_entry(MODEL, capabilities=tuple(told))]
        fake.script("/api/show", replay(Recording.load(release, name)))
        hi = [{"role": "user", "content": "hi"}]
        response = ask(fake, hi, [WEATHER], streaming=streaming)
        chats = fake.received("/api/chat")
    if able:
        assert response.status_code == 200
        assert chats[0].json["tools"] == [WEATHER]
    else:
        check_refusal(response, Refused(400, "unsupported_parameter", "tools"))
        assert chats == []
