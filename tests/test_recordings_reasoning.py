"""Recordings of a model that thinks, against what a person expects of the gateway."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.expectations import Thought
from tests.expectations.checks import (
    REPLAYED,
    STREAMING,
    Replay,
    check_usage,
    each,
    events,
    gateway,
    text_of,
)
from tests.fake_ollama import RELEASES, FakeOllama, Recording, model_entry, replay

MODEL = "smol-think:135m"


def thinker(release: str) -> FakeOllama:
    """An engine whose model can think; what it says of itself before 0.30 is the recording."""
    fake = FakeOllama(release)
    fake.models = [model_entry(MODEL, capabilities=("completion", "thinking"))]
    fake.script("/api/show", replay(Recording.load(release, "show-thinking")))
    return fake


def ask(client: FlaskClient, *, streaming: bool, **fields: Any) -> TestResponse:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "What is 2+2?"}], **fields}
    if streaming:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    response = client.post("/v1/chat/completions", json=body)
    response.get_data()
    response.close()
    return response


@each(Thought)
@REPLAYED
@STREAMING
def test_thoughts_come_before_the_answer(
    recording: Recording, expected: Thought, replayed: Replay, streaming: bool
) -> None:
    with thinker(recording.release) as fake:
        fake.script("/api/chat", replayed(recording))
        response = ask(gateway(fake), streaming=streaming, think=expected.think)
        sent = fake.received("/api/chat")[0].json
    assert response.status_code == 200, response.get_data(as_text=True)
    assert "X-Tensoria-Ignored" not in response.headers
    assert sent.get("think") is expected.think or sent["think"] == expected.think
    if streaming:
        check_stream(events(response), expected)
    else:
        check_whole(response.get_json(), expected)


def check_whole(body: dict[str, Any], expected: Thought) -> None:
    (choice,) = body["choices"]
    assert choice["finish_reason"] == expected.answer.finish_reason
    assert choice["message"]["content"] == expected.answer.text
    for name in ("reasoning_content", "reasoning"):
        assert choice["message"].get(name, "") == expected.thoughts
    check_usage(body["usage"], expected.answer)


def check_stream(found: list[Any], expected: Thought) -> None:
    """The role, thoughts under both names, text, one finish chunk, usage, `[DONE]`."""
    role, *deltas, finish, usage, done = found
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    for name in ("reasoning_content", "reasoning"):
        said = [chunk["choices"][0]["delta"].get(name, "") for chunk in deltas]
        assert "".join(said) == expected.thoughts
    assert text_of(deltas) == expected.answer.text
    assert finish["choices"][0]["delta"] == {}
    assert finish["choices"][0]["finish_reason"] == expected.answer.finish_reason
    assert done == "[DONE]"
    check_usage(usage["usage"], expected.answer)


@pytest.mark.parametrize("release", RELEASES)
def test_effort_goes_up_as_the_release_takes_it(release: str) -> None:
    """0.9.6 would answer a level with a 400 (`think-level`)."""
    with thinker(release) as fake:
        response = ask(gateway(fake), streaming=False, reasoning_effort="low")
        sent = fake.received("/api/chat")[0].json["think"]
    old = release == "0.9.6"
    assert sent == (True if old else "low")
    assert response.headers.get("X-Tensoria-Adjusted") == ("reasoning_effort=true" if old else None)
