"""Recordings of /api/generate, against what a person expects of POST /v1/completions."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.expectations import Answer, Completed, Refused
from tests.expectations.checks import (
    MODEL,
    REPLAYED,
    STREAMING,
    Replay,
    check_refusal,
    check_text,
    check_usage,
    each,
    events,
    gateway,
)
from tests.fake_ollama import FakeOllama, Recording


def complete(client: FlaskClient, *, streaming: bool) -> TestResponse:
    """Ask for a completion; the answer is read to its end and closed."""
    body: dict[str, Any] = {"model": MODEL, "prompt": "The sky is"}
    if streaming:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    response = client.post("/v1/completions", json=body)
    response.get_data()
    response.close()
    return response


@each(Completed)
@REPLAYED
@STREAMING
def test_text_is_completed(
    recording: Recording, expected: Completed, replayed: Replay, streaming: bool
) -> None:
    with FakeOllama(recording.release) as fake:
        fake.script("/api/generate", replayed(recording))
        response = complete(gateway(fake), streaming=streaming)
    if isinstance(expected.outcome, Refused):
        check_refusal(response, expected.outcome)
    elif streaming:
        check_stream(events(response), expected.outcome)
    else:
        check_whole(response.get_json(), expected.outcome)


def check_whole(body: dict[str, Any], expected: Answer) -> None:
    (choice,) = body["choices"]
    assert body["model"] == MODEL
    assert choice["finish_reason"] == expected.finish_reason
    check_text(choice["text"], expected.text)
    check_usage(body["usage"], expected)


def check_stream(found: list[Any], expected: Answer) -> None:
    """The sequence: text, one finish chunk without text, usage, `[DONE]`; one id and one time."""
    *said, finish, usage, done = found
    assert {chunk["choices"][0]["finish_reason"] for chunk in said} == {None}
    assert finish["choices"][0] == {
        "index": 0,
        "text": "",
        "logprobs": None,
        "finish_reason": expected.finish_reason,
    }
    assert usage["choices"] == []
    assert done == "[DONE]"
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in found[:-1]}) == 1
    check_text("".join(chunk["choices"][0]["text"] for chunk in said), expected.text)
    check_usage(usage["usage"], expected)
