"""Answers in a form that was asked for, through the whole service, on both kinds of engine."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tensoria.api.services import UnwatchedClient
from tests.api.conftest import Lines
from tests.api.test_chat import events
from tests.backends.fake_openai import CHAT, DONE, delta, speak_openai, usage
from tests.backends.fake_openai import events as sse
from tests.fake_ollama import (
    FakeOllama,
    Handler,
    answer_json,
    chat_line,
    close,
    done_line,
    error_line,
    hang,
    model_entry,
    stream,
)

PATH = "/v1/chat/completions"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}
GOOD, BAD = '{"city": "Porto"}', '{"town": "Porto"}'
MISSED = (502, "structured_output_invalid", "response_format")
Hello = dict[str, Any]
STREAMING = pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])


@pytest.fixture
def asked(hello: Hello) -> Hello:
    """A request for a city."""
    return {**hello, "response_format": SCHEMA}


@pytest.fixture
def retrying(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a service that asks once more."""
    return make_app(STRUCTURED_RETRY="1").test_client()


def answer(text: str, reason: str = "stop", **counts: int) -> Handler:
    half = len(text) // 2
    return stream([chat_line(text[:half]), chat_line(text[half:]), done_line(reason, **counts)])


def chats(fake: FakeOllama) -> list[Any]:
    return [received.json for received in fake.received("/api/chat")]


def found(response: TestResponse) -> tuple[int, str, str]:
    body = response.json
    assert body is not None
    return response.status_code, body["error"]["code"], body["error"]["param"]


def content(response: TestResponse, *, streaming: bool) -> str:
    assert response.status_code == 200, response.text
    if not streaming:
        return str(response.json["choices"][0]["message"]["content"])  # type: ignore[index]
    *chunks, done = events(response)
    assert done == "[DONE]"
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(each.get("content", "") for each in deltas)


@STREAMING
def test_answer_that_fits_is_answered(
    client: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    fake.script("/api/chat", answer(GOOD))
    response = client.post(PATH, json={**asked, "stream": streaming})
    assert content(response, streaming=streaming) == GOOD
    (sent,) = chats(fake)
    assert sent["format"] == CITY


def test_json_object_is_asked_for_in_ollamas_word(
    client: FlaskClient, fake: FakeOllama, hello: Hello
) -> None:
    fake.script("/api/chat", answer('{"a": 1}'))
    response = client.post(PATH, json={**hello, "response_format": {"type": "json_object"}})
    assert content(response, streaming=False) == '{"a": 1}'
    assert chats(fake)[0]["format"] == "json"


def test_whole_answer_that_misses_is_502_and_not_to_be_repeated(
    client: FlaskClient, fake: FakeOllama, asked: Hello
) -> None:
    fake.script("/api/chat", answer(BAD))
    response = client.post(PATH, json=asked)
    assert found(response) == MISSED
    assert response.headers["x-should-retry"] == "false"
    assert len(chats(fake)) == 1


def test_stream_that_misses_ends_in_an_error_and_no_finish_chunk(
    client: FlaskClient, fake: FakeOllama, asked: Hello
) -> None:
    fake.script("/api/chat", answer(BAD))
    *chunks, last = events(client.post(PATH, json={**asked, "stream": True}))
    assert last["error"]["code"] == "structured_output_invalid"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None]
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == BAD


@STREAMING
def test_answer_cut_by_length_passes_as_it_is(
    client: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    fake.script("/api/chat", answer('{"city": "Po', "length"))
    response = client.post(PATH, json={**asked, "stream": streaming})
    assert content(response, streaming=streaming) == '{"city": "Po'


@STREAMING
def test_thoughts_are_not_checked(
    client: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    lines = [chat_line("", thinking="A city."), chat_line(GOOD), done_line()]
    fake.script("/api/chat", stream(lines))
    response = client.post(PATH, json={**asked, "stream": streaming})
    assert content(response, streaming=streaming) == GOOD


# With STRUCTURED_RETRY.


@STREAMING
def test_answer_that_misses_is_asked_for_once_more(
    retrying: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    fake.script("/api/chat", answer(BAD), answer(GOOD))
    response = retrying.post(PATH, json={**asked, "stream": streaming, "seed": 7})
    assert content(response, streaming=streaming) == GOOD
    first, second = chats(fake)
    assert second.pop("options") == first.pop("options") | {"seed": 7 + 2**30}
    assert first == second


def test_usage_is_that_of_both_runs(
    retrying: FlaskClient, fake: FakeOllama, asked: Hello, log: Lines
) -> None:
    fake.script("/api/chat", answer(BAD, prompt=20, eval=5), answer(GOOD, prompt=20, eval=6))
    body = retrying.post(PATH, json=asked).json
    assert body is not None
    assert body["usage"] == {"prompt_tokens": 40, "completion_tokens": 11, "total_tokens": 51}
    (line,) = log.of_requests()
    assert "completion_tokens=11" in line


def test_streamed_usage_is_that_of_both_runs(
    retrying: FlaskClient, fake: FakeOllama, asked: Hello
) -> None:
    fake.script("/api/chat", answer(BAD, prompt=20, eval=5), answer(GOOD, prompt=20, eval=6))
    wanted = {**asked, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last, _ = events(retrying.post(PATH, json=wanted))
    assert last["usage"] == {"prompt_tokens": 40, "completion_tokens": 11, "total_tokens": 51}
    assert [chunk["choices"][0]["delta"].get("role") for chunk in chunks].count("assistant") == 1


@STREAMING
def test_two_answers_that_miss_are_a_plain_error(
    retrying: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    """Held back until it is checked, a stream has sent nothing: its status is the true one."""
    fake.script("/api/chat", answer(BAD))
    response = retrying.post(PATH, json={**asked, "stream": streaming})
    assert found(response) == MISSED
    assert response.headers["x-should-retry"] == "false"
    assert len(chats(fake)) == 2


@STREAMING
def test_answer_that_fits_is_asked_for_once(
    retrying: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    fake.script("/api/chat", answer(GOOD))
    response = retrying.post(PATH, json={**asked, "stream": streaming})
    assert content(response, streaming=streaming) == GOOD
    assert len(chats(fake)) == 1


@STREAMING
def test_engine_that_fails_in_the_second_run_is_told(
    retrying: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    fake.script("/api/chat", answer(BAD), stream([chat_line("{"), close]))
    response = retrying.post(PATH, json={**asked, "stream": streaming})
    assert found(response)[:2] == (502, "engine_error")


def test_engine_that_refuses_the_second_run_is_told(
    retrying: FlaskClient, fake: FakeOllama, asked: Hello
) -> None:
    fake.script("/api/chat", answer(BAD), answer_json({"error": "server busy"}, 503))
    assert found(retrying.post(PATH, json=asked))[:2] == (503, "overloaded")


class Leaving(UnwatchedClient):
    """A client that is gone once a test says so."""

    def __init__(self) -> None:
        self.left = threading.Event()

    def gone(self) -> bool:
        return self.left.is_set()


@STREAMING
def test_client_that_leaves_in_the_second_run_frees_the_engine(
    retrying: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    leaving = Leaving()

    def leave(exchange: Any) -> None:
        leaving.left.set()
        exchange.send(chat_line("{"))

    fake.script("/api/chat", answer(BAD), stream([chat_line(" "), leave, hang]))
    environ = {"tensoria.client": leaving}
    response = retrying.post(PATH, json={**asked, "stream": streaming}, environ_overrides=environ)
    assert response.status_code == 499
    fake.wait_for_disconnect()


def test_plain_chat_of_a_retrying_service_streams_at_once(
    retrying: FlaskClient, fake: FakeOllama, hello: Hello
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), error_line("CUDA error")]))
    role, text, last = events(retrying.post(PATH, json={**hello, "stream": True}))
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert text["choices"][0]["delta"]["content"] == "Hel"
    assert "error" in last


# With tools beside the schema.


@pytest.fixture
def with_tools(asked: Hello, fake: FakeOllama) -> Hello:
    """A request for a city, or for a call that finds one."""
    fake.models = [model_entry(capabilities=("completion", "tools"))]
    function = {"name": "find", "parameters": {"type": "object", "properties": {}}}
    return {**asked, "tools": [{"type": "function", "function": function}]}


@STREAMING
def test_call_wins_over_the_schema(
    client: FlaskClient, fake: FakeOllama, with_tools: Hello, streaming: bool
) -> None:
    call = {"function": {"name": "find", "arguments": {}}}
    fake.script("/api/chat", stream([chat_line("", tool_calls=[call]), done_line()]))
    response = client.post(PATH, json={**with_tools, "stream": streaming})
    assert response.status_code == 200
    assert '"finish_reason":"tool_calls"' in response.text
    (sent,) = chats(fake)
    assert "format" not in sent
    assert sent["tools"]


@STREAMING
def test_answer_beside_tools_is_made_again_without_them(
    client: FlaskClient, fake: FakeOllama, with_tools: Hello, streaming: bool
) -> None:
    fake.script("/api/chat", answer("It is Porto."), answer(GOOD))
    response = client.post(PATH, json={**with_tools, "stream": streaming})
    assert content(response, streaming=streaming) == GOOD
    _, second = chats(fake)
    assert second["format"] == CITY
    assert "tools" not in second


def test_tools_that_may_not_be_called_leave_the_answer_to_the_schema(
    client: FlaskClient, fake: FakeOllama, with_tools: Hello
) -> None:
    fake.script("/api/chat", answer(GOOD))
    response = client.post(PATH, json={**with_tools, "tool_choice": "none"})
    assert content(response, streaming=False) == GOOD
    (sent,) = chats(fake)
    assert sent["format"] == CITY


# Engines that cannot, and schemas that they do not know.


@pytest.mark.parametrize(
    "handler",
    [
        answer_json({"error": "invalid JSON schema in format"}, 500),
        stream([error_line("invalid JSON schema in format")]),
        answer_json(
            {
                "error": '{"error":{"code":400,"message":"Field \'json_schema\': '
                'JSON schema conversion failed:\\nUnrecognized schema: {}"}}'
            },
            400,
        ),
    ],
    ids=["0.24", "0.9", "0.32"],
)
@STREAMING
def test_schema_that_the_engine_cannot_convert_is_named(
    client: FlaskClient, fake: FakeOllama, asked: Hello, handler: Handler, streaming: bool
) -> None:
    fake.script("/api/chat", handler)
    response = client.post(PATH, json={**asked, "stream": streaming})
    assert found(response) == (400, "invalid_value", "response_format")


@pytest.fixture
def speaking_openai(fake: FakeOllama, make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a service in front of an engine that speaks OpenAI."""
    speak_openai(fake, "m")
    return make_app(ENGINE="openai", ENGINE_BASE_URL=fake.url, DEFAULT_MODEL="m").test_client()


@STREAMING
def test_engine_that_speaks_openai_gets_the_format_as_it_is(
    speaking_openai: FlaskClient, fake: FakeOllama, asked: Hello, streaming: bool
) -> None:
    fake.script(CHAT, sse(delta(GOOD), delta(finish="stop"), usage(), DONE))
    response = speaking_openai.post(PATH, json={**asked, "model": "m", "stream": streaming})
    assert content(response, streaming=streaming) == GOOD
    sent = [received.json for received in fake.received(CHAT)]
    assert sent[0]["response_format"] == SCHEMA


def test_engine_that_ignores_the_format_is_found_out(
    speaking_openai: FlaskClient, fake: FakeOllama, asked: Hello
) -> None:
    fake.script(CHAT, sse(delta("Porto."), delta(finish="stop"), usage(), DONE))
    assert found(speaking_openai.post(PATH, json={**asked, "model": "m"})) == MISSED


# Hostile schemas.


def test_reference_to_another_server_is_refused_and_not_fetched(
    client: FlaskClient, fake: FakeOllama, asked: Hello
) -> None:
    for keyword in ("$ref", "$dynamicRef", "$recursiveRef", "$schema"):
        schema = {keyword: f"{fake.url}/secret"}
        body = {
            **asked,
            "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
        }
        place = f"response_format.json_schema.schema.{keyword}"
        assert found(client.post(PATH, json=body)) == (400, "invalid_value", place)
    assert fake.requests == []


def test_pattern_that_would_block_a_worker_is_held_against_the_answer_at_once(
    client: FlaskClient, fake: FakeOllama, asked: Hello
) -> None:
    schema = {"type": "string", "pattern": "^(a+)+$"}
    asked["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    fake.script("/api/chat", answer('"' + "a" * 30_000 + '!"'))
    assert found(client.post(PATH, json=asked)) == MISSED


def test_schema_nested_as_deeply_as_json_is_read_is_refused(
    client: FlaskClient, fake: FakeOllama
) -> None:
    body = (
        b'{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema",'
        b'"json_schema":{"schema":' + b'{"not":' * 900 + b"{}" + b"}" * 900 + b"}}}"
    )
    response = client.post(PATH, data=body, content_type="application/json")
    assert found(response) == (400, "invalid_value", "response_format.json_schema.schema")
    assert fake.requests == []
