"""CONTEXT_OVERFLOW=truncate, against the overflows that real Ollama servers sent.

The second answer is the recording of the same release that was asked without `truncate: false`.
"""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.expectations import Answer
from tests.expectations.checks import MODEL, STREAMING, ask, check_answer, gateway
from tests.fake_ollama import FakeOllama, Recording, model_entry, replay

TOLD = "context=truncated"
# 0.9.6 cuts whatever `truncate` says, and tells nobody; 0.12.6 and later refuse first.
REFUSING = pytest.mark.parametrize("release", ["0.24.0", "0.32.15"])
HELLO = Answer("hi, how can", "length", 29, 4)


def cutting(fake: FakeOllama, **environ: str) -> FlaskClient:
    return gateway(fake, CONTEXT_OVERFLOW="truncate", **environ)


def told(response: TestResponse) -> str | None:
    return response.headers.get("X-Tensoria-Adjusted")


def flags(fake: FakeOllama, path: str) -> list[tuple[Any, Any]]:
    """Return `truncate` and `shift` of each request to a path."""
    return [(r.json.get("truncate"), r.json.get("shift")) for r in fake.received(path)]


@REFUSING
@STREAMING
@pytest.mark.parametrize("template", ["chat", "own"])
@pytest.mark.parametrize("form", ["", "-plain"])
def test_an_overflowing_chat_is_cut_and_told(
    release: str, streaming: bool, template: str, form: str
) -> None:
    refused = Recording.load(release, f"{template}-overflow-refused{form}")
    cut = Recording.load(release, f"{template}-overflow-truncated")
    with FakeOllama(release) as fake:
        fake.script("/api/chat", replay(refused), replay(cut))
        response = ask(cutting(fake), streaming=streaming)
    check_answer(response, HELLO, streaming=streaming)
    assert told(response) == TOLD
    assert flags(fake, "/api/chat") == [(False, False), (True, False)]


@STREAMING
def test_a_chat_that_fits_is_neither_repeated_nor_told(streaming: bool) -> None:
    with FakeOllama() as fake:
        response = ask(cutting(fake), streaming=streaming)
    assert response.status_code == 200
    assert told(response) is None
    assert flags(fake, "/api/chat") == [(False, False)]


@REFUSING
@STREAMING
def test_without_the_setting_an_overflow_is_refused_at_once(release: str, streaming: bool) -> None:
    with FakeOllama(release) as fake:
        fake.script("/api/chat", replay(Recording.load(release, "chat-overflow-refused")))
        response = ask(gateway(fake), streaming=streaming)
    assert response.get_json()["error"]["code"] == "context_length_exceeded"
    assert flags(fake, "/api/chat") == [(False, False)]


def test_a_release_that_cuts_by_itself_is_not_told_of() -> None:
    """Nobody can know which of its answers were cut; /ready warns of it."""
    with FakeOllama("0.9.6") as fake:
        fake.script("/api/chat", replay(Recording.load("0.9.6", "chat-overflow-refused")))
        client = cutting(fake)
        response = ask(client, streaming=False)
        warnings = client.get("/ready").get_json()["warnings"]
    assert response.status_code == 200
    assert told(response) is None
    assert "0.12.6" in warnings[0]


@REFUSING
def test_a_prompt_that_cannot_be_cut_is_refused_all_the_same(release: str) -> None:
    """One message that alone is longer than the context; Ollama cuts between messages."""
    with FakeOllama(release) as fake:
        fake.script("/api/chat", replay(Recording.load(release, "chat-overflow-refused")))
        response = ask(cutting(fake), streaming=False)
    assert response.status_code == 400
    assert response.get_json()["error"]["code"] == "context_length_exceeded"
    assert told(response) is None
    assert flags(fake, "/api/chat") == [(False, False), (True, False)]


def test_another_refusal_is_not_repeated() -> None:
    with FakeOllama() as fake:
        fake.script("/api/chat", replay(Recording.load("0.32.15", "chat-tools-unsupported")))
        response = ask(cutting(fake), streaming=False)
    assert response.status_code == 400
    assert flags(fake, "/api/chat") == [(False, False)]


def test_a_cut_prompt_and_a_lowered_limit_are_told_together() -> None:
    with FakeOllama() as fake:
        refused = Recording.load("0.32.15", "chat-overflow-refused")
        cut = Recording.load("0.32.15", "chat-overflow-truncated")
        fake.script("/api/chat", replay(refused), replay(cut))
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}
        response = cutting(fake, MAX_TOKENS_LIMIT="4").post("/v1/chat/completions", json=body)
    assert told(response) == "max_tokens=4,context=truncated"


def _complete(fake: FakeOllama, prompts: list[str], *, stream: bool) -> TestResponse:
    body = {"model": MODEL, "prompt": prompts, "stream": stream}
    response = cutting(fake).post("/v1/completions", json=body)
    response.get_data()
    response.close()
    return response


@REFUSING
@STREAMING
def test_an_overflowing_prompt_is_cut_and_told(release: str, streaming: bool) -> None:
    with FakeOllama(release) as fake:
        fake.script(
            "/api/generate",
            replay(Recording.load(release, "generate-overflow-refused")),
            replay(Recording.load(release, "generate-raw-stream")),
        )
        response = _complete(fake, ["word " * 9000], stream=streaming)
    assert response.status_code == 200
    assert told(response) == TOLD
    assert flags(fake, "/api/generate") == [(False, False), (True, False)]


@REFUSING
def test_a_later_prompt_of_a_whole_answer_is_cut_too(release: str) -> None:
    answered = replay(Recording.load(release, "generate-raw-stream"))
    with FakeOllama(release) as fake:
        refused = replay(Recording.load(release, "generate-overflow-refused"))
        fake.script("/api/generate", answered, refused, answered)
        response = _complete(fake, ["short", "word " * 9000], stream=False)
    assert len(response.get_json()["choices"]) == 2
    assert told(response) == TOLD
    assert [truncate for truncate, _ in flags(fake, "/api/generate")] == [False, False, True]


@REFUSING
def test_a_later_prompt_of_a_stream_is_refused_for_its_headers_have_left(release: str) -> None:
    answered = replay(Recording.load(release, "generate-raw-stream"))
    with FakeOllama(release) as fake:
        refused = replay(Recording.load(release, "generate-overflow-refused"))
        fake.script("/api/generate", answered, refused, answered)
        response = _complete(fake, ["short", "word " * 9000], stream=True)
    assert response.status_code == 200
    assert told(response) is None
    assert "context_length_exceeded" in response.get_data(as_text=True)
    assert "[DONE]" not in response.get_data(as_text=True)


@pytest.mark.parametrize("release", ["0.9.6", "0.24.0", "0.32.15"])
def test_an_overflowing_text_is_embedded_in_part_and_told(release: str) -> None:
    with FakeOllama(release) as fake:
        fake.models.append(model_entry("all-minilm:l6-v2", capabilities=("embedding",)))
        refused = Recording.load(release, "embed-too-long")
        fake.script(
            "/api/embed", replay(refused), replay(Recording.load(release, "embed-too-long-cut"))
        )
        body = {"model": "all-minilm:l6-v2", "input": "word " * 600}
        response = cutting(fake).post("/v1/embeddings", json=body)
    assert response.status_code == 200
    assert response.get_json()["usage"]["prompt_tokens"] == 512
    assert told(response) == TOLD
    assert [truncate for truncate, _ in flags(fake, "/api/embed")] == [False, True]


def test_a_text_that_fits_is_embedded_without_a_word() -> None:
    with FakeOllama() as fake:
        fake.models.append(model_entry("all-minilm:l6-v2", capabilities=("embedding",)))
        body = {"model": "all-minilm:l6-v2", "input": "hello"}
        response = cutting(fake).post("/v1/embeddings", json=body)
    assert response.status_code == 200
    assert told(response) is None
    assert flags(fake, "/api/embed") == [(False, None)]
