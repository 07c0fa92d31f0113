"""Ollama's own fields, from the client to the engine."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.fake_ollama import FakeOllama, model_entry

CHAT = "/v1/chat/completions"
HELLO = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
FIELDS = {"top_k": 5, "min_p": 0.1, "repeat_penalty": 1.2}


def test_sampling_reaches_the_chat(fake: FakeOllama, client: FlaskClient) -> None:
    fields = {**FIELDS, "options": {"seed": 3, "num_predict": 9, "typical_p": 0.5}}
    response = client.post(CHAT, json={**HELLO, **fields})
    (received,) = fake.received("/api/chat")

    assert "X-Tensoria-Ignored" not in response.headers
    expected = {**FIELDS, "seed": 3, "num_predict": 9, "typical_p": 0.5, "temperature": 0.7}
    assert received.json["options"] == expected


def test_sampling_reaches_the_completion(fake: FakeOllama, client: FlaskClient) -> None:
    fields = {**FIELDS, "options": {"stop": "x", "temperature": 0}, "keep_alive": "1h"}
    client.post("/v1/completions", json={"model": "smollm2:135m", "prompt": "a", **fields})
    (received,) = fake.received("/api/generate")

    expected = {**FIELDS, "stop": ["x"], "temperature": 0, "num_predict": 4096}
    assert received.json["options"] == expected
    assert received.json["keep_alive"] == "1h"


@pytest.mark.parametrize(
    ("fields", "expected"), [({}, "7m"), ({"keep_alive": ""}, "7m"), ({"keep_alive": "300"}, 300)]
)
def test_clients_keep_alive_takes_the_place_of_the_setting(
    fake: FakeOllama, make_app: Callable[..., Flask], fields: dict[str, Any], expected: object
) -> None:
    make_app(OLLAMA_KEEP_ALIVE="7m").test_client().post(CHAT, json={**HELLO, **fields})

    assert fake.received("/api/chat")[0].json["keep_alive"] == expected


def test_embedding_keeps_its_model_as_asked(fake: FakeOllama, client: FlaskClient) -> None:
    fake.models = [model_entry("all-minilm:latest", capabilities=("embedding",))]
    body = {"model": "all-minilm", "input": "a", "keep_alive": -1}
    client.post("/v1/embeddings", json=body)

    assert fake.received("/api/embed")[0].json["keep_alive"] == -1


def test_context_of_the_clients_own_is_told_and_does_not_go_up(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    client = make_app(OLLAMA_CONTEXT_LENGTH="2048").test_client()
    other = client.post(CHAT, json={**HELLO, "options": {"num_ctx": 8192, "num_gpu": 0}})
    same = client.post(CHAT, json={**HELLO, "options": {"num_ctx": 2048}})

    assert other.headers["X-Tensoria-Ignored"] == "options.num_ctx,options.num_gpu"
    assert "X-Tensoria-Ignored" not in same.headers
    sent = [received.json["options"]["num_ctx"] for received in fake.received("/api/chat")]
    assert sent == [2048, 2048]
