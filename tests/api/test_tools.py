"""Tools in chats, through the whole service."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.test_chat import events
from tests.backends.fake_openai import CHAT, DONE, delta, speak_openai, usage
from tests.backends.fake_openai import events as sse
from tests.fake_ollama import FakeOllama, answer_json, chat_line, done_line, model_entry, stream

PATH = "/v1/chat/completions"
MODEL = "smollm2:135m"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
ASK: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Weather in Oslo and Rome?"}],
    "tools": [TOOL],
}


@pytest.fixture
def able(fake: FakeOllama) -> FakeOllama:
    """The engine, with a model that has tools."""
    fake.models = [model_entry(MODEL, capabilities=("completion", "tools"))]
    return fake


def call(city: str, **more: Any) -> dict[str, Any]:
    return {"function": {"name": "weather", "arguments": {"city": city}}, **more}


def line(*calls: Any) -> bytes:
    return chat_line("", tool_calls=list(calls))


def test_text_and_calls_of_a_whole_answer(client: FlaskClient, able: FakeOllama) -> None:
    able.script(
        "/api/chat",
        stream([chat_line("Let me see."), line(call("Oslo"), call("Rome", id="x")), done_line()]),
    )
    choice = client.post(PATH, json=ASK).get_json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "Let me see."
    first, second = choice["message"]["tool_calls"]
    assert first["id"].startswith("call_")
    assert second == {
        "id": "x",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
    }


def test_calls_of_a_stream(client: FlaskClient, able: FakeOllama) -> None:
    able.script("/api/chat", stream([line(call("Oslo", id="x")), done_line()]))
    *chunks, finish, done = events(client.post(PATH, json={**ASK, "stream": True}))
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "x",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
                }
            ]
        },
    ]
    assert finish["choices"][0]["finish_reason"] == "tool_calls"
    assert done == "[DONE]"


def test_a_loop_of_calls_and_results(client: FlaskClient, able: FakeOllama) -> None:
    """What the gateway answered is sent back as it was, as every SDK does."""
    able.script("/api/chat", stream([line(call("Oslo")), done_line()]))
    said = client.post(PATH, json=ASK).get_json()["choices"][0]["message"]
    (made,) = said["tool_calls"]
    result = {"role": "tool", "tool_call_id": made["id"], "content": "4 C"}
    messages = [*ASK["messages"], said, result]
    response = client.post(PATH, json={**ASK, "messages": messages})
    assert response.status_code == 200
    assert "X-Tensoria-Ignored" not in response.headers
    assert able.received("/api/chat")[1].json["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": made["id"],
                    "function": {"index": 0, "name": "weather", "arguments": {"city": "Oslo"}},
                }
            ],
        },
        {"role": "tool", "content": "4 C", "tool_name": "weather", "tool_call_id": made["id"]},
    ]


def test_tool_that_cannot_run_is_left_out_with_notice(
    client: FlaskClient, able: FakeOllama
) -> None:
    response = client.post(PATH, json={**ASK, "tools": [{"type": "web_search"}, TOOL]})
    assert response.status_code == 200
    assert response.headers["X-Tensoria-Ignored"] == "tools[0]"
    assert able.received("/api/chat")[0].json["tools"] == [TOOL]


def test_tools_are_taken_away_by_the_choice_of_none(client: FlaskClient, fake: FakeOllama) -> None:
    """Also for a model that has no place for them."""
    response = client.post(PATH, json={**ASK, "tool_choice": "none"})
    assert response.status_code == 200
    assert "tools" not in fake.received("/api/chat")[0].json


def test_model_without_tools_is_refused_before_the_engine_is_asked(
    client: FlaskClient, fake: FakeOllama
) -> None:
    response = client.post(PATH, json={**ASK, "stream": True})
    assert response.status_code == 400
    assert response.get_json()["error"]["param"] == "tools"
    assert fake.received("/api/chat") == []


@pytest.fixture
def beside(fake: FakeOllama, make_app: Callable[..., Flask]) -> Callable[[str], FlaskClient]:
    """Make a client of the service in front of an engine that speaks OpenAI."""

    def build(owned_by: str) -> FlaskClient:
        speak_openai(fake, "m", owned_by=owned_by)
        return make_app(ENGINE="openai", ENGINE_BASE_URL=fake.url, DEFAULT_MODEL="m").test_client()

    return build


@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp"])
def test_calls_in_pieces_add_up(
    fake: FakeOllama, beside: Callable[[str], FlaskClient], owned_by: str
) -> None:
    client = beside(owned_by)
    name = {"index": 0, "id": "x", "function": {"name": "weather", "arguments": ""}}
    rest = {"index": 0, "function": {"arguments": '{"city":"Oslo"}'}}
    fake.script(
        CHAT,
        sse(
            delta(tool_calls=[name]),
            delta(tool_calls=[rest]),
            delta(finish="tool_calls"),
            usage(),
            DONE,
        ),
    )
    body = client.post(PATH, json={**ASK, "model": "m"}).get_json()
    assert fake.received(CHAT)[0].json["tools"] == [TOOL]
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {
            "id": "x",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
        }
    ]


@pytest.mark.parametrize(
    ("props", "status"),
    [
        (answer_json({"chat_template_caps": {"supports_tools": False}}), 400),
        (answer_json({"chat_template_caps": {"supports_tools": True}}), 200),
        (answer_json({"error": {"message": "no"}}, 404), 200),
    ],
)
def test_llama_cpp_without_a_place_for_tools_is_refused(
    fake: FakeOllama, beside: Callable[[str], FlaskClient], props: Any, status: int
) -> None:
    """It would drop them without a word."""
    client = beside("llamacpp")
    fake.script("/props", props)
    response = client.post(PATH, json={**ASK, "model": "m"})
    assert response.status_code == status
    if status == 400:
        assert response.get_json()["error"]["param"] == "tools"
        assert fake.received(CHAT) == []
