"""Recordings of answers under a schema, against the call that a person expects of them."""

from typing import Any

from tests.expectations import Forced
from tests.expectations.checks import MODEL, REPLAYED, STREAMING, Replay, each, events, gateway
from tests.fake_ollama import FakeOllama, Recording

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
ASKED: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "What is the weather in Oslo?"}],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
}


@each(Forced)
@REPLAYED
@STREAMING
def test_forced_call(
    recording: Recording, expected: Forced, replayed: Replay, streaming: bool
) -> None:
    with FakeOllama(recording.release) as fake:
        fake.script("/api/chat", replayed(recording))
        options = {"stream": True, "stream_options": {"include_usage": True}} if streaming else {}
        response = gateway(fake).post("/v1/chat/completions", json={**ASKED, **options})
        response.get_data()
        response.close()
        sent = [request.json for request in fake.received("/api/chat")]

    assert response.status_code == 200, response.get_data(as_text=True)
    assert [body["format"] for body in sent] == [recording.request["format"]]
    assert not any("tools" in body for body in sent)
    if streaming:
        check_stream(events(response), expected)
        return
    body = response.get_json()
    (choice,) = body["choices"]
    check_call(choice["message"]["tool_calls"], expected)
    assert choice["message"]["content"] is None
    assert choice["finish_reason"] == "tool_calls"
    check_usage(body["usage"], expected)


def check_stream(found: list[Any], expected: Forced) -> None:
    """The sequence: role, the call, one finish chunk, usage, `[DONE]`."""
    role, called, finish, usage, done = found
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert called["choices"][0]["delta"].keys() == {"tool_calls"}
    check_call(called["choices"][0]["delta"]["tool_calls"], expected)
    assert called["choices"][0]["finish_reason"] is None
    assert finish["choices"][0]["delta"] == {}
    assert finish["choices"][0]["finish_reason"] == "tool_calls"
    check_usage(usage["usage"], expected)
    assert done == "[DONE]"


def check_call(calls: list[Any], expected: Forced) -> None:
    (call,) = calls
    assert call["id"].startswith("call_")
    assert call["type"] == "function"
    assert call["function"] == {"name": expected.name, "arguments": expected.arguments}


def check_usage(usage: dict[str, Any], expected: Forced) -> None:
    assert usage["prompt_tokens"] == expected.prompt_tokens
    assert usage["completion_tokens"] == expected.completion_tokens
