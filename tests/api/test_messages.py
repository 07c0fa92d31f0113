"""POST /v1/messages, whole and streamed, through the whole service.

Each answer is judged by the types of Anthropic's SDK (tests/contract/messages.py).
"""

import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.conftest import KEY
from tests.backends.fake_openai import DONE, delta, event, speak_openai, usage
from tests.backends.fake_openai import events as sse
from tests.contract.messages import events_of
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    close,
    done_line,
    error_line,
    model_entry,
    stream,
)

PATH = "/v1/messages"
MODEL = "smollm2:135m"
ASK: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hi"}],
}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {}}}}
OSLO = {"city": "Oslo"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


def able(fake: FakeOllama, *capabilities: str) -> None:
    fake.models = [model_entry(MODEL, capabilities=("completion", *capabilities))]


def events(response: TestResponse) -> list[dict[str, Any]]:
    with response:
        return events_of(response.get_data())


def sent(fake: FakeOllama) -> Any:
    (received,) = fake.received("/api/chat")
    return received.json


def test_a_whole_answer(client: FlaskClient) -> None:
    body = client.post(PATH, json=ASK).get_json()

    assert body.pop("id").startswith("msg_")
    assert body == {
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 27, "output_tokens": 8},
    }


def test_the_sequence_of_a_stream(client: FlaskClient) -> None:
    response = client.post(PATH, json={**ASK, "stream": True})
    start, *rest = events(response)

    assert response.mimetype == "text/event-stream"
    assert start["message"]["usage"] == {"input_tokens": 0, "output_tokens": 0}
    assert start["message"]["id"].startswith("msg_")
    text = [each["delta"]["text"] for each in rest if each["type"] == "content_block_delta"]
    assert "".join(text) == "Hello"
    assert rest[0] == {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    assert rest[-3:] == [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"input_tokens": 27, "output_tokens": 8},
        },
        {"type": "message_stop"},
    ]


@pytest.mark.parametrize("query", ["", "?beta=true"])
@pytest.mark.parametrize(
    "headers", [{"x-api-key": KEY}, {"Authorization": f"Bearer {KEY}"}], ids=["key", "bearer"]
)
def test_either_key_opens_it_and_other_headers_are_taken(
    keyed: FlaskClient, headers: dict[str, str], query: str
) -> None:
    told = {"anthropic-version": "2023-06-01", "anthropic-beta": "a-2025-01-01,b"}
    response = keyed.post(f"{PATH}{query}", json=ASK, headers={**headers, **told})

    assert response.status_code == 200


def test_everything_reaches_the_engine(fake: FakeOllama, client: FlaskClient) -> None:
    able(fake, "tools", "vision", "thinking")
    client.post(
        PATH,
        json={
            **ASK,
            "system": [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "See"}, IMAGE]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": "theirs"},
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "id": "t1", "name": "weather", "input": OSLO},
                        {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "And?"},
                        {"type": "tool_result", "tool_use_id": "t1", "content": "Rain"},
                        {
                            "type": "tool_result",
                            "tool_use_id": "t2",
                            "is_error": True,
                            "content": [{"type": "text", "text": "no city"}],
                        },
                    ],
                },
            ],
            "tools": [{**TOOL, "description": "Tells."}],
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "low"},
            "stop_sequences": ["END"],
            "temperature": 0.5,
            "top_p": 0.25,
            "top_k": 9,
            "seed": 5,
            "keep_alive": "7m",
        },
    )
    body = sent(fake)

    assert body["messages"] == [
        {"role": "system", "content": "Be\nbrief."},
        {"role": "user", "content": "See", "images": [PNG]},
        {
            "role": "assistant",
            "content": "I look.",
            "thinking": "Hm.",
            "tool_calls": [
                {
                    "id": "t1",
                    "function": {"index": 0, "name": "weather", "arguments": OSLO},
                },
                {"id": "t2", "function": {"index": 1, "name": "weather", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "Rain", "tool_name": "weather", "tool_call_id": "t1"},
        {
            "role": "tool",
            "content": "Error: no city",
            "tool_name": "weather",
            "tool_call_id": "t2",
        },
        {"role": "user", "content": "And?"},
    ]
    assert body["tools"][0]["function"]["description"] == "Tells."
    assert body["think"] == "low"
    assert body["keep_alive"] == "7m"
    options = {"stop": ["END"], "temperature": 0.5, "top_p": 0.25, "top_k": 9, "seed": 5}
    assert options.items() <= body["options"].items()
    assert body["options"]["num_predict"] == 100


def test_thoughts_and_calls_of_a_stream(fake: FakeOllama, client: FlaskClient) -> None:
    able(fake, "tools", "thinking")
    call = {"function": {"name": "weather", "arguments": {"city": "Oslo"}}}
    fake.script(
        "/api/chat",
        stream(
            [
                chat_line("", thinking="Hm"),
                chat_line("", thinking="m."),
                chat_line("I look."),
                chat_line("", tool_calls=[call, call]),
                done_line(),
            ]
        ),
    )
    asked = {**ASK, "tools": [TOOL], "thinking": {"type": "enabled", "budget_tokens": 2000}}
    response = client.post(PATH, json={**asked, "stream": True})
    found = events(response)
    blocks = [each["content_block"]["type"] for each in found if "content_block" in each]
    deltas = [each["delta"] for each in found if each["type"] == "content_block_delta"]

    assert response.headers["X-Tensoria-Ignored"] == "thinking.budget_tokens"
    assert blocks == ["thinking", "text", "tool_use", "tool_use"]
    assert [delta["type"] for delta in deltas] == [
        "thinking_delta",
        "thinking_delta",
        "signature_delta",
        "text_delta",
        "input_json_delta",
        "input_json_delta",
    ]
    assert found[-2]["delta"]["stop_reason"] == "tool_use"
    whole = client.post(PATH, json=asked).get_json()
    assert whole["content"][0]["thinking"] == "Hmm."
    assert whole["content"][0]["signature"] == deltas[2]["signature"]
    assert whole["content"][2]["input"] == {"city": "Oslo"}
    assert whole["stop_reason"] == "tool_use"


def test_thoughts_that_nobody_asked_for_are_left_out(fake: FakeOllama, client: FlaskClient) -> None:
    able(fake, "thinking")
    fake.script(
        "/api/chat", stream([chat_line("", thinking="Hm."), chat_line("Hello"), done_line()])
    )
    body = client.post(PATH, json=ASK).get_json()

    assert body["content"] == [{"type": "text", "text": "Hello"}]
    assert sent(fake)["think"] is False


def test_a_model_that_cannot_think_says_so(client: FlaskClient) -> None:
    response = client.post(PATH, json={**ASK, "thinking": {"type": "adaptive"}})

    assert response.headers["X-Tensoria-Ignored"] == "thinking"


def test_what_is_adjusted_has_the_clients_name(fake: FakeOllama, client: FlaskClient) -> None:
    able(fake, "thinking")
    fake.version = "0.12.0"
    config = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
    response = client.post(PATH, json={**ASK, **config}, headers={"X-Tensoria-Verbose": "1"})

    assert response.headers["X-Tensoria-Adjusted"] == "thinking=true"
    assert response.get_json()["tensoria"]["adjusted"] == {"thinking": "true"}


def test_the_verbose_member_stands_at_the_end_of_a_stream(client: FlaskClient) -> None:
    asked = {**ASK, "stream": True}
    found = events(client.post(PATH, json=asked, headers={"X-Tensoria-Verbose": "1"}))

    assert found[-2]["tensoria"]["ignored"] == []


@pytest.mark.parametrize(
    ("choice", "reason"), [({"type": "any"}, "tool_use"), ({"type": "none"}, "end_turn")]
)
def test_a_choice_of_tools_is_kept_to(
    fake: FakeOllama, client: FlaskClient, choice: dict[str, Any], reason: str
) -> None:
    able(fake, "tools")
    text = '{"name": "weather", "arguments": {"city": "Oslo"}}'
    fake.script("/api/chat", stream([chat_line(text), done_line()]))
    body = client.post(PATH, json={**ASK, "tools": [TOOL], "tool_choice": choice}).get_json()

    assert body["stop_reason"] == reason
    assert "tools" not in sent(fake)


def test_one_call_is_kept_where_more_are_not_wanted(fake: FakeOllama, client: FlaskClient) -> None:
    able(fake, "tools")
    call = {"function": {"name": "weather", "arguments": {}}}
    fake.script("/api/chat", stream([chat_line("", tool_calls=[call, call]), done_line()]))
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    body = client.post(PATH, json={**ASK, "tools": [TOOL], "tool_choice": choice}).get_json()

    assert len(body["content"]) == 1


def test_structured_output_is_checked(fake: FakeOllama, client: FlaskClient) -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    asked = {**ASK, "output_config": {"format": {"type": "json_schema", "schema": schema}}}
    fake.script("/api/chat", stream([chat_line('{"a": 1}'), done_line()]))
    good = client.post(PATH, json=asked).get_json()
    fake.script("/api/chat", stream([chat_line('{"b": 1}'), done_line()]))
    bad = client.post(PATH, json=asked)

    assert good["content"] == [{"type": "text", "text": '{"a": 1}'}]
    assert (bad.status_code, bad.get_json()["error"]["param"]) == (502, "output_config.format")
    assert "output_config.format" in bad.get_json()["error"]["message"]


def test_a_prompt_that_was_cached_is_counted_apart(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    speak_openai(fake, "m")
    counts = {"prompt_tokens": 10, "completion_tokens": 2}
    told = {**counts, "prompt_tokens_details": {"cached_tokens": 7}}
    line = usage().replace(b'{"prompt_tokens":3,"completion_tokens":2}', orjson.dumps(told))
    fake.script("/v1/chat/completions", sse(delta("Hi"), delta(finish="length"), line, DONE))
    engine = {"ENGINE": "openai", "ENGINE_BASE_URL": f"{fake.url}/v1"}
    body = make_app(**engine).test_client().post(PATH, json={**ASK, "model": "m"}).get_json()

    assert body["stop_reason"] == "max_tokens"
    assert body["usage"] == {
        "input_tokens": 3,
        "output_tokens": 2,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 7,
    }


@pytest.mark.parametrize("streams", [False, True])
def test_the_stop_sequence_that_vllm_tells_is_told(
    fake: FakeOllama, make_app: Callable[..., Flask], streams: bool
) -> None:
    speak_openai(fake, "m")
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}
    fake.script("/v1/chat/completions", sse(delta("Hi"), event(choices=[choice]), usage(), DONE))
    engine = {"ENGINE": "openai", "ENGINE_BASE_URL": f"{fake.url}/v1"}
    asked = {**ASK, "model": "m", "stop_sequences": ["END"], "stream": streams}
    response = make_app(**engine).test_client().post(PATH, json=asked)
    told = events(response)[-2]["delta"] if streams else response.get_json()

    assert (told["stop_reason"], told["stop_sequence"]) == ("stop_sequence", "END")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"max_tokens": None}, "max_tokens", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"temperature": 1.5}, "temperature", "invalid_value"),
        ({"stop_sequences": "x"}, "stop_sequences", "invalid_value"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers", "unsupported_parameter"),
        ({"container": "c"}, "container", "unsupported_parameter"),
        ({"tool_choice": {"type": "any"}}, "tool_choice", "invalid_value"),
        ({"tools": [TOOL]}, "tools", "unsupported_parameter"),
        (
            {"messages": [{"role": "user", "content": [IMAGE]}]},
            "messages[0].content[0]",
            "unsupported_parameter",
        ),
    ],
)
def test_what_is_wrong_is_named_in_anthropics_envelope(
    fake: FakeOllama, client: FlaskClient, fields: dict[str, Any], param: str, code: str
) -> None:
    able(fake)
    response = client.post(PATH, json={**ASK, "stream": True, **fields})
    body = response.get_json()

    assert response.status_code == 400
    assert body["type"] == "error"
    assert body["error"]["type"] == "invalid_request_error"
    assert (body["error"]["param"], body["error"]["code"]) == (param, code)
    assert param in body["error"]["message"]
    assert response.headers["request-id"] == body["request_id"]


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "type_"),
    [
        ("POST", PATH, {"data": b"{", "content_type": "application/json"}, 400, "invalid_request"),
        ("POST", PATH, {"data": b"{}", "content_type": "text/plain"}, 415, "invalid_request"),
        ("GET", PATH, {}, 405, "invalid_request"),
        ("GET", f"{PATH}/batches", {}, 404, "not_found"),
        ("POST", PATH, {"json": {**ASK, "model": "no"}}, 404, "not_found"),
        ("POST", PATH, {"json": {**ASK, "x": "x" * 2**21}}, 413, "request_too_large"),
    ],
)
def test_every_error_has_anthropics_envelope(
    make_app: Callable[..., Flask],
    method: str,
    path: str,
    options: dict[str, Any],
    status: int,
    type_: str,
) -> None:
    response = make_app(MAX_BODY_MB="1").test_client().open(path, method=method, **options)
    told = response.get_json()["error"]["type"]

    assert response.status_code == status
    assert told == (type_ if type_ == "request_too_large" else f"{type_}_error")


def test_a_wrong_key_is_an_authentication_error(keyed: FlaskClient) -> None:
    response = keyed.post(PATH, json=ASK, headers={"x-api-key": "wrong"})

    assert response.status_code == 401
    assert response.get_json()["error"]["type"] == "authentication_error"


def test_a_fault_of_ours_is_an_api_error(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensoria.api.messages.new_id", None)
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    response = client.post(PATH, json=ASK)

    assert response.status_code == 500
    assert response.get_json()["error"]["type"] == "api_error"


def test_a_failure_before_the_first_word_has_its_status(
    fake: FakeOllama, client: FlaskClient
) -> None:
    fake.script("/api/chat", answer_json({"error": "server busy"}, 503))
    response = client.post(PATH, json={**ASK, "stream": True})

    assert response.status_code == 503
    assert response.get_json()["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("broken", [[close], [error_line("boom")]])
def test_a_failure_in_the_middle_is_one_error_event_and_the_end(
    fake: FakeOllama, client: FlaskClient, broken: list[Any]
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), *broken]))
    response = client.post(PATH, json={**ASK, "stream": True})
    found = events(response)

    assert [each["type"] for each in found] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "error",
    ]
    assert found[-1]["error"]["type"] == "api_error"
    assert found[-1]["request_id"] == response.headers["request-id"]


def test_headers_leave_with_a_ping_where_the_answer_takes_long(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([gate, chat_line("Hello"), done_line()]))
    client = make_app(STREAM_HEARTBEAT_SECONDS="0.05").test_client()
    with client.post(PATH, json={**ASK, "stream": True}) as response:
        first = next(response.response)  # type: ignore[call-overload]
        gate.set()
        rest = b"".join(response.response)  # type: ignore[arg-type]

    assert first == b'event: ping\ndata: {"type": "ping"}\n\n'
    assert rest.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


def test_a_late_failure_is_an_error_event_alone(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([gate, error_line("boom")]))
    client = make_app(STREAM_HEARTBEAT_SECONDS="0.05").test_client()
    with client.post(PATH, json={**ASK, "stream": True}) as response:
        next(response.response)  # type: ignore[call-overload]
        gate.set()
        (error,) = events_of(b"".join(response.response))  # type: ignore[arg-type]

    assert error["type"] == "error"


def test_what_means_nothing_here_is_told(fake: FakeOllama, client: FlaskClient) -> None:
    able(fake, "tools")
    cached = {"cache_control": {"type": "ephemeral"}}
    response = client.post(
        PATH,
        json={
            **ASK,
            "system": [{"type": "text", "text": "Be brief.", **cached}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", **cached}]}],
            "tools": [
                {**TOOL, **cached},
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
            ],
            "metadata": {"user_id": "u"},
            "service_tier": "auto",
            "made_up": 1,
        },
    )

    assert response.status_code == 200
    assert set(response.headers["X-Tensoria-Ignored"].split(",")) == {
        "made_up",
        "messages.content.cache_control",
        "metadata",
        "system.cache_control",
        "cache_control",
        "tools[1]",
    }


def test_strict_mode_refuses_what_changes_the_answer(client: FlaskClient) -> None:
    asked = {**ASK, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    relaxed = client.post(PATH, json=asked)
    strict = client.post(PATH, json=asked, headers={"X-Tensoria-Strict": "1"})

    assert relaxed.headers["X-Tensoria-Ignored"] == "context_management"
    assert strict.get_json()["error"]["param"] == "context_management"


def test_it_explains_itself(client: FlaskClient) -> None:
    body = client.post(PATH, json=ASK, headers={"X-Tensoria-Explain": "1"}).get_json()

    assert body["object"] == "explanation"
    assert body["engine"]["path"] == "/api/chat"


def test_anthropics_clients_that_add_v1_twice_are_told(client: FlaskClient) -> None:
    response = client.post("/v1/v1/messages", json=ASK)

    assert "/v1 twice: Anthropic's clients add it to http://localhost" in response.text
