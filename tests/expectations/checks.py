"""How an answer of the gateway is held against its expectation."""

import json
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tensoria.app import create_app
from tensoria.config import Settings
from tests.contract import ContractClient
from tests.expectations import (
    EXPECTATIONS,
    Answer,
    Refused,
)
from tests.expectations.shapes import Excerpt
from tests.fake_ollama import (
    FakeOllama,
    Handler,
    Recording,
    odd_cuts,
    random_cuts,
    replay,
)

MODEL = "smollm2:135m"
Kind = TypeVar("Kind")
Replay = Callable[[Recording], Handler]

REPLAYS: dict[str, Replay] = {
    "recorded": replay,
    "odd chunks": lambda recording: replay(recording, chunk_cut=odd_cuts(recording.body)),
    "random segments": lambda recording: replay(recording, segment_cut=_random(recording)),
}
STREAMING = pytest.mark.parametrize("streaming", [True, False], ids=["stream", "plain"])
REPLAYED = pytest.mark.parametrize("replayed", REPLAYS.values(), ids=list(REPLAYS))


def _random(recording: Recording) -> list[int]:
    seed = zlib.crc32(recording.id.encode())
    framing = 7 * (len(recording.chunks) + 1)
    return random_cuts(len(recording.body) + framing, seed)


def each(kind: type[Kind], *, at: str | None = None) -> pytest.MarkDecorator:
    """Parametrise over the recordings whose expectation is of one kind (and holds at a path)."""
    cases = [
        pytest.param(recording, expectation, id=recording.id)
        for recording in Recording.all()
        if isinstance(expectation := EXPECTATIONS.get((recording.release, recording.name)), kind)
        and (at is None or at in getattr(expectation, "at", ()))
    ]
    assert cases, "a test without cases cannot fail"
    return pytest.mark.parametrize(("recording", "expected"), cases)


def gateway(fake: FakeOllama, **environ: str) -> FlaskClient:
    """Return a client of a gateway in front of the engine, with nothing remembered yet.

    It keeps no response: nobody closes it, and it would be kept beside the code.
    """
    variables = {"OLLAMA_BASE_URL": fake.url, "DEFAULT_MODEL": MODEL, "STORE": "0", **environ}
    app = create_app(Settings.from_env(variables))
    app.test_client_class = ContractClient
    return app.test_client()


def ask(client: FlaskClient, *, streaming: bool) -> TestResponse:
    """Ask for a chat; the answer is read to its end and closed, as every WSGI server does."""
    body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    if streaming:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    response = client.post("/v1/chat/completions", json=body)
    response.get_data()
    response.close()
    return response


def events(response: TestResponse) -> list[Any]:
    """Split a stream into its events; `[DONE]` stays a string. ContractClient judged their form."""
    blocks = response.get_data(as_text=True).split("\n\n")
    data = [block.removeprefix("data: ") for block in blocks if block]
    return [event if event == "[DONE]" else json.loads(event) for event in data]


def text_of(chunks: list[dict[str, Any]]) -> str:
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def check_text(text: str, expected: str | Excerpt) -> None:
    if isinstance(expected, str):
        assert text == expected
        return
    assert text.startswith(expected.begins)
    assert text.endswith(expected.ends)
    assert len(text) == expected.characters


def check_usage(usage: dict[str, Any], expected: Answer) -> None:
    assert usage["prompt_tokens"] == expected.prompt_tokens
    assert usage["completion_tokens"] == expected.completion_tokens
    assert usage["total_tokens"] == expected.prompt_tokens + expected.completion_tokens


def check_answer(response: TestResponse, expected: Answer, *, streaming: bool) -> None:
    assert response.status_code == 200, response.get_data(as_text=True)
    if streaming:
        check_stream(events(response), expected)
        return
    body = response.get_json()
    (choice,) = body["choices"]
    assert body["model"] == MODEL
    assert choice["finish_reason"] == expected.finish_reason
    check_text(choice["message"]["content"], expected.text)
    check_usage(body["usage"], expected)


def check_stream(found: list[Any], expected: Answer) -> None:
    """The sequence: role, deltas, one finish chunk, usage, `[DONE]`; one id and one time."""
    first, *deltas, finish, usage, done = found
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(set(chunk["choices"][0]["delta"]) == {"content"} for chunk in deltas)
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in [first, *deltas])
    assert finish["choices"][0]["delta"] == {}
    assert finish["choices"][0]["finish_reason"] == expected.finish_reason
    assert usage["choices"] == []
    assert done == "[DONE]"
    named = {(chunk["id"], chunk["created"], chunk["model"]) for chunk in found[:-1]}
    assert len(named) == 1
    assert named.pop()[2] == MODEL
    check_text(text_of(deltas), expected.text)
    check_usage(usage["usage"], expected)


def check_refusal(response: TestResponse, expected: Refused) -> None:
    assert response.status_code == expected.status, response.get_data(as_text=True)
    assert response.mimetype == "application/json"
    check_error(response.get_json()["error"], expected.code)
    error = response.get_json()["error"]
    assert error["param"] == expected.param
    for words in expected.says:
        assert words in error["message"]


def check_error(error: dict[str, Any], code: str) -> None:
    """The code is right, the type fits it, and no path or address of the engine's is told."""
    assert error["code"] == code
    server = code in ("engine_error", "timeout", "overloaded", "model_load_failed")
    assert error["type"] == ("server_error" if server else "invalid_request_error")
    for private in ("/root", "sha256-", "127.0.0.1", "registry.ollama.ai"):
        assert private not in error["message"]
