"""X-Tensoria-Explain: what would be sent to the engine, without running it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import FakeOllama, model_entry

EXPLAIN = {"X-Tensoria-Explain": "1"}
CHAT = "/v1/chat/completions"
HELLO = {"model": "SmolLM2:135m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("streamed", [True, False])
def test_the_request_that_would_go_up_is_shown_and_not_sent(
    fake: FakeOllama, plain: FlaskClient, streamed: bool
) -> None:
    body = {**HELLO, "stop": "END", "user": "u", "x": 1, "stream": streamed}
    response = plain.post(CHAT, json=body, headers=EXPLAIN)
    shown: dict[str, Any] = response.get_json()

    assert (response.status_code, shown["object"]) == (200, "explanation")
    assert shown["ignored"] == ["user", "x"]
    assert (shown["engine"]["method"], shown["engine"]["path"]) == ("POST", "/api/chat")
    assert shown["engine"]["body"]["model"] == "smollm2:135m"
    assert shown["engine"]["body"]["options"]["stop"] == ["END"]
    assert fake.received("/api/chat") == []


@pytest.mark.parametrize(
    ("path", "body", "runs"),
    [
        (CHAT, HELLO, 1),
        (CHAT, {**HELLO, "n": 3}, 3),
        ("/v1/completions", {"prompt": ["a", "b"], "n": 2}, 4),
        ("/v1/embeddings", {"input": ["a", "b"]}, 1),
    ],
)
def test_the_first_of_several_runs_is_shown_and_the_others_are_counted(
    fake: FakeOllama, plain: FlaskClient, path: str, body: dict[str, Any], runs: int
) -> None:
    fake.models = [model_entry(capabilities=("completion", "embedding"))]
    response = plain.post(path, json={"model": "smollm2:135m", **body}, headers=EXPLAIN)

    assert response.get_json()["runs"] == runs


@pytest.mark.parametrize("engine", ["ollama", "openai"])
@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_what_would_be_adjusted_is_told(
    fake: FakeOllama, make_app: Callable[..., Flask], engine: str, path: str
) -> None:
    speak_openai(fake, "smollm2:135m")
    app = make_app(ENGINE=engine, ENGINE_BASE_URL=f"{fake.url}/v1", MAX_TOKENS_LIMIT="9")
    app.test_client_class = FlaskClient
    asked = {**HELLO, "model": "smollm2:135m", "max_tokens": 99}
    if path != CHAT:
        asked = {**asked, "messages": None, "prompt": "a"}
    response = app.test_client().post(path, json=asked, headers=EXPLAIN)

    assert response.get_json()["adjusted"] == {"max_tokens": "9"}


@pytest.mark.parametrize(
    ("path", "body", "upstream"),
    [
        ("/v1/completions", {"prompt": ["a", "b"]}, "/api/generate"),
        ("/v1/embeddings", {"input": "a", "model": "all-minilm:l6-v2"}, "/api/embed"),
    ],
)
def test_every_endpoint_explains_itself(
    fake: FakeOllama, plain: FlaskClient, path: str, body: dict[str, Any], upstream: str
) -> None:
    fake.models = [model_entry("all-minilm:l6-v2", capabilities=("embedding",)), model_entry()]
    response = plain.post(path, json={"model": "smollm2:135m", **body}, headers=EXPLAIN)

    assert response.get_json()["engine"]["path"] == upstream
    assert fake.received(upstream) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/completions", {"prompt": "a"}),
        ("/v1/embeddings", {"input": "a"}),
    ],
)
def test_an_engine_that_speaks_openai_is_not_asked_either(
    fake: FakeOllama, make_app: Callable[..., Flask], path: str, body: dict[str, Any]
) -> None:
    speak_openai(fake, "m", owned_by="llamacpp")
    app = make_app(ENGINE="openai", ENGINE_BASE_URL=fake.url)
    app.test_client_class = FlaskClient
    client = app.test_client()
    for _ in range(60):  # More than llama.cpp has threads: a dry run gives its own back.
        response = client.post(path, json={"model": "m", **body}, headers=EXPLAIN)
        assert response.status_code == 200

    assert response.get_json()["engine"]["path"] == path.removeprefix("/v1")
    assert {request.path for request in fake.requests} == {"/v1/models"}


def test_a_request_that_is_wrong_is_refused_as_ever(client: FlaskClient) -> None:
    response = client.post(CHAT, json={**HELLO, "temperature": 3}, headers=EXPLAIN)

    assert response.status_code == 400
    assert response.get_json()["error"]["param"] == "temperature"


def test_an_explanation_needs_the_key(keyed: FlaskClient) -> None:
    assert keyed.post(CHAT, json=HELLO, headers=EXPLAIN).status_code == 401


@pytest.fixture
def plain(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client whose answers need not be OpenAI's: an explanation is no answer of theirs."""
    app = make_app()
    app.test_client_class = FlaskClient
    return app.test_client()
