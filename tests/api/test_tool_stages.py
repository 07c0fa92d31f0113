"""Forced calls, rescued calls and one call at most, through the whole service."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.conftest import Lines
from tests.api.test_chat import events
from tests.backends.fake_openai import DONE, delta, speak_openai, usage
from tests.backends.fake_openai import events as openai_events
from tests.fake_ollama import FakeOllama, chat_line, done_line, stream

PATH = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "How is the weather in Oslo?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
OTHER = {"type": "function", "function": {"name": "get_time"}}
AUTO: dict[str, Any] = {"messages": MESSAGES, "tools": [TOOL, OTHER]}
NAMED = {**AUTO, "tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
REQUIRED = {**AUTO, "tool_choice": "required"}
JSON = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
ARGUMENTS = '{"city":"Oslo"}'
NATIVE = {"function": {"name": "get_time", "arguments": {}}}


@pytest.fixture(autouse=True)
def model(fake: FakeOllama) -> None:
    """The default model has a place for tools."""
    fake.models[0]["capabilities"] = ["completion", "tools"]


@pytest.fixture
def client(make_app: Callable[..., Flask], fake: FakeOllama) -> FlaskClient:
    return make_app(DEFAULT_MODEL=fake.models[0]["name"]).test_client()


def answers(fake: FakeOllama, *texts: str, reason: str = "stop", **message: Any) -> None:
    """Let the engine answer with these texts; keywords join the first line's message."""
    first, *rest = texts
    lines = [chat_line(first, **message), *(chat_line(text) for text in rest)]
    fake.script("/api/chat", stream([*lines, done_line(reason)]))


def choice(client: FlaskClient, body: dict[str, Any]) -> Any:
    response = client.post(PATH, json=body)
    assert response.status_code == 200, response.text
    return response.json["choices"][0]  # type: ignore[index]


def deltas(client: FlaskClient, body: dict[str, Any]) -> tuple[list[Any], Any]:
    """Return a stream's deltas, and its finish reason or its error."""
    *chunks, last = events(client.post(PATH, json={**body, "stream": True}))
    if last != "[DONE]":
        return [chunk["choices"][0]["delta"] for chunk in chunks], last["error"]["code"]
    choices = [chunk["choices"][0] for chunk in chunks]
    return [each["delta"] for each in choices], choices[-1]["finish_reason"]


def names(found: Any) -> list[str]:
    return [call["function"]["name"] for call in found["message"].get("tool_calls", [])]


def sent(fake: FakeOllama) -> Any:
    (request,) = fake.received("/api/chat")
    return request.json


@pytest.mark.parametrize("body", [NAMED, REQUIRED], ids=["named", "required"])
def test_forced_call_is_generated_to_a_schema(
    client: FlaskClient, fake: FakeOllama, body: dict[str, Any]
) -> None:
    answers(fake, JSON[:20], JSON[20:])
    found = choice(client, body)

    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] is None
    assert [call["function"] for call in found["message"]["tool_calls"]] == [
        {"name": "get_weather", "arguments": ARGUMENTS}
    ]
    assert sent(fake)["format"]["additionalProperties" if body is NAMED else "anyOf"] is not None
    assert "tools" not in sent(fake)
    assert sent(fake)["messages"][0]["role"] == "system"
    assert '"get_weather"' in sent(fake)["messages"][0]["content"]


def test_forced_call_streams(client: FlaskClient, fake: FakeOllama) -> None:
    answers(fake, JSON[:20], JSON[20:])
    (role, called, finish), reason = deltas(client, NAMED)

    assert (role, finish, reason) == ({"role": "assistant", "content": ""}, {}, "tool_calls")
    assert called["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": ARGUMENTS}


def test_forced_call_needs_no_model_for_tools(client: FlaskClient, fake: FakeOllama) -> None:
    fake.models[0]["capabilities"] = ["completion"]
    answers(fake, JSON)

    assert names(choice(client, NAMED)) == ["get_weather"]
    assert client.post(PATH, json=AUTO).status_code == 400


def test_forced_call_that_is_cut_is_no_call(client: FlaskClient, fake: FakeOllama) -> None:
    answers(fake, JSON[:30], reason="length")
    found = choice(client, NAMED)

    assert (names(found), found["finish_reason"]) == ([], "length")


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_engine_that_ignores_the_schema_is_a_502(
    client: FlaskClient, fake: FakeOllama, streaming: bool
) -> None:
    answers(fake, "It ", "rains.")
    response = client.post(PATH, json={**NAMED, "stream": streaming})

    assert response.status_code == 502
    assert response.json is not None
    assert response.json["error"]["param"] == "tool_choice"
    assert response.json["error"]["code"] == "engine_error"


def test_engine_that_leaves_the_schema_late_ends_a_stream_in_an_error(
    client: FlaskClient, fake: FakeOllama
) -> None:
    answers(fake, "{", '"weather": "rain"}')

    assert deltas(client, NAMED)[1] == "engine_error"


def test_call_as_text_is_rescued_and_told(
    client: FlaskClient, fake: FakeOllama, log: Lines
) -> None:
    answers(fake, "Let me see. <tool", f"_call>{JSON}</tool_call>")
    response = client.post(PATH, json=AUTO)
    assert response.json is not None
    found = response.json["choices"][0]

    assert found["message"]["content"] == "Let me see. "
    assert names(found) == ["get_weather"]
    assert found["finish_reason"] == "tool_calls"
    assert response.headers["X-Tensoria-Adjusted"] == "tool_calls=rescued"
    assert "adjusted=" in log.of_requests()[-1]


def test_rescue_in_a_stream_is_in_the_log(
    client: FlaskClient, fake: FakeOllama, log: Lines
) -> None:
    answers(fake, "Hm. ", f"<tool_call>{JSON}")
    (_, text, called, finish), reason = deltas(client, AUTO)

    assert text == {"content": "Hm. "}
    assert called["tool_calls"][0]["function"]["arguments"] == ARGUMENTS
    assert (finish, reason) == ({}, "tool_calls")
    assert "tool_calls=rescued" in log.of_requests()[-1]


def test_rescue_can_be_turned_off(make_app: Callable[..., Flask], fake: FakeOllama) -> None:
    answers(fake, JSON)
    client = make_app(DEFAULT_MODEL=fake.models[0]["name"], TOOL_RESCUE="0").test_client()
    found = choice(client, AUTO)

    assert (found["message"]["content"], found["finish_reason"]) == (JSON, "stop")


def test_text_is_no_call_where_no_tools_are_offered(client: FlaskClient, fake: FakeOllama) -> None:
    answers(fake, JSON)

    assert choice(client, {"messages": MESSAGES})["message"]["content"] == JSON


def test_no_call_is_rescued_where_none_is_wanted(client: FlaskClient, fake: FakeOllama) -> None:
    answers(fake, JSON)
    found = choice(client, {**AUTO, "tool_choice": "none"})

    assert (found["message"]["content"], found["finish_reason"]) == (JSON, "stop")


def test_native_calls_pass_beside_text(client: FlaskClient, fake: FakeOllama) -> None:
    answers(fake, JSON, "", tool_calls=[NATIVE])
    found = choice(client, AUTO)

    assert found["message"]["content"] == JSON
    assert names(found) == ["get_time"]


@pytest.mark.parametrize(("parallel", "count"), [(False, 1), (True, 2), (None, 2)])
def test_parallel_calls(
    client: FlaskClient, fake: FakeOllama, parallel: bool | None, count: int
) -> None:
    answers(fake, "", tool_calls=[NATIVE, NATIVE])
    found = choice(client, {**AUTO, "parallel_tool_calls": parallel})

    assert names(found) == ["get_time"] * count
    assert found["finish_reason"] == "tool_calls"


def test_one_call_of_those_that_are_rescued(client: FlaskClient, fake: FakeOllama) -> None:
    answers(fake, f"[{JSON}, {JSON}]")

    assert names(choice(client, {**AUTO, "parallel_tool_calls": False})) == ["get_weather"]


@pytest.fixture
def other_engine(make_app: Callable[..., Flask], fake: FakeOllama) -> FlaskClient:
    """A service in front of an engine that speaks OpenAI."""
    environ = {"ENGINE": "openai", "ENGINE_BASE_URL": f"{fake.url}/v1", "DEFAULT_MODEL": "m"}
    return make_app(**environ).test_client()


def test_vllm_forces_calls_by_itself(other_engine: FlaskClient, fake: FakeOllama) -> None:
    speak_openai(fake, "m")
    call = {"index": 0, "id": "c", "function": {"name": "get_weather", "arguments": ARGUMENTS}}
    steps = [delta(tool_calls=[call]), delta(finish="tool_calls"), usage(), DONE]
    fake.script(PATH, openai_events(*steps))
    found = choice(other_engine, {**NAMED, "parallel_tool_calls": False})
    (request,) = fake.received(PATH)

    assert names(found) == ["get_weather"]
    assert request.json["tool_choice"] == NAMED["tool_choice"]
    assert len(request.json["tools"]) == 2
    assert "response_format" not in request.json


def test_llama_cpp_is_forced_by_a_schema(other_engine: FlaskClient, fake: FakeOllama) -> None:
    speak_openai(fake, "m", owned_by="llamacpp")
    steps = [delta(JSON), delta(finish="stop"), usage(), DONE]
    fake.script(PATH, openai_events(*steps))
    found = choice(other_engine, NAMED)
    (request,) = fake.received(PATH)

    assert names(found) == ["get_weather"]
    assert request.json["response_format"]["json_schema"]["schema"]["required"] == [
        "name",
        "arguments",
    ]
    assert request.json.keys().isdisjoint(("tools", "tool_choice"))


def test_calls_of_an_engine_that_speaks_openai_are_rescued_too(
    other_engine: FlaskClient, fake: FakeOllama
) -> None:
    speak_openai(fake, "m")
    fake.script(PATH, openai_events(delta(JSON), delta(finish="stop"), usage(), DONE))

    assert names(choice(other_engine, AUTO)) == ["get_weather"]
