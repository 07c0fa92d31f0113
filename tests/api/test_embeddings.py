"""POST /v1/embeddings through the whole service."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tensoria.api.services import UnwatchedClient
from tests.api.conftest import KEY, Lines
from tests.backends.fake_openai import speak_openai
from tests.contract.embeddings import numbers
from tests.fake_ollama import FakeOllama, answer_json, embedding, model_entry

PATH = "/v1/embeddings"
MODEL = "all-minilm:l6-v2"


@pytest.fixture(autouse=True)
def _models(fake: FakeOllama) -> None:
    """One model that embeds and one that chats."""
    fake.models = [model_entry(MODEL, capabilities=("embedding",)), model_entry()]


def ask(client: FlaskClient, **fields: Any) -> TestResponse:
    return client.post(PATH, json={"model": MODEL, "input": "Hi", **fields})


def error(response: TestResponse) -> tuple[int, str, str | None]:
    found = response.json["error"]  # type: ignore[index]
    return response.status_code, found["code"], found["param"]


def test_one_text_has_one_vector(client: FlaskClient) -> None:
    assert ask(client).json == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": embedding("Hi")}],
        "model": MODEL,
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


def test_a_list_is_embedded_in_one_call_and_keeps_its_order(
    fake: FakeOllama, client: FlaskClient
) -> None:
    texts = ["x" * length for length in range(300, 0, -1)]
    body: Any = ask(client, input=texts).json

    assert [entry["embedding"] for entry in body["data"]] == [embedding(text) for text in texts]
    assert [entry["index"] for entry in body["data"]] == list(range(300))
    assert [request.json["input"] for request in fake.received("/api/embed")] == [texts]


def test_base64_is_answered_in_base64_and_nothing_else(client: FlaskClient) -> None:
    body: Any = ask(client, input=["a", "bcd"], encoding_format="base64").json
    vectors = [entry["embedding"] for entry in body["data"]]

    assert [numbers(vector) for vector in vectors] == [embedding("a"), embedding("bcd")]


@pytest.mark.parametrize("asked", [{}, {"encoding_format": "float"}, {"encoding_format": None}])
def test_numbers_are_the_default(client: FlaskClient, asked: dict[str, Any]) -> None:
    body: Any = ask(client, **asked).json
    assert body["data"][0]["embedding"] == embedding("Hi")


def test_the_default_model_answers_where_none_is_named(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    client = make_app(DEFAULT_MODEL=MODEL).test_client()
    body: Any = client.post(PATH, json={"input": "Hi"}).json
    assert body["model"] == MODEL
    assert fake.received("/api/embed")[0].json["model"] == MODEL


def test_the_answer_keeps_the_name_that_was_asked(client: FlaskClient) -> None:
    body: Any = ask(client, model="All-MiniLM:L6-v2").json
    assert body["model"] == "All-MiniLM:L6-v2"


def test_what_has_no_effect_is_told(client: FlaskClient) -> None:
    response = ask(client, user="u", truncate=True)
    assert response.headers["X-Tensoria-Ignored"] == "truncate,user"


def test_dimensions_go_up(fake: FakeOllama, client: FlaskClient) -> None:
    ask(client, dimensions=4)
    assert fake.received("/api/embed")[0].json["dimensions"] == 4


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({"input": ""}, (400, "invalid_value", "input")),
        ({"input": []}, (400, "invalid_value", "input")),
        ({"input": ["a", ""]}, (400, "invalid_value", "input[1]")),
        ({"input": ["a"] * 2049}, (400, "invalid_value", "input")),
        ({"input": [1, 2]}, (400, "unsupported_parameter", "input")),
        ({"input": [[1], [2]]}, (400, "unsupported_parameter", "input")),
        ({"encoding_format": "int8"}, (400, "invalid_value", "encoding_format")),
        ({"dimensions": 0}, (400, "invalid_value", "dimensions")),
        ({"dimensions": 5}, (400, "invalid_value", "dimensions")),
        ({"model": "nope"}, (404, "model_not_found", "model")),
        ({"model": "smollm2:135m"}, (400, "unsupported_parameter", "model")),
    ],
)
def test_a_request_that_cannot_be_honoured_is_refused_by_name(
    client: FlaskClient, fields: dict[str, Any], seen: tuple[int, str, str]
) -> None:
    assert error(ask(client, **fields)) == seen


def test_a_key_is_asked_for(keyed: FlaskClient) -> None:
    assert error(ask(keyed))[:2] == (401, "invalid_api_key")
    with_key = keyed.post(PATH, json={"model": MODEL, "input": "Hi"}, headers={"X-API-Key": KEY})
    assert with_key.status_code == 200


def test_an_engine_that_sends_too_few_vectors_is_502(fake: FakeOllama, client: FlaskClient) -> None:
    fake.script("/api/embed", answer_json({"embeddings": [[1.0]], "prompt_eval_count": 3}))
    assert error(ask(client, input=["a", "b"])) == (502, "engine_error", None)


def test_the_log_line_has_model_and_tokens_and_no_text(client: FlaskClient, log: Lines) -> None:
    ask(client, input="a secret")
    (line,) = log.of_requests()
    assert f"model={MODEL}" in line
    assert "prompt_tokens=3" in line
    assert "secret" not in line


class _Gone(UnwatchedClient):
    def gone(self) -> bool:
        return True


def test_no_vectors_are_written_for_a_client_that_left(client: FlaskClient) -> None:
    response = client.post(
        PATH,
        json={"model": MODEL, "input": "Hi"},
        environ_overrides={"tensoria.client": _Gone()},
    )
    assert response.status_code == 499
    assert response.get_json()["error"]["code"] == "client_closed_request"


def test_the_largest_batch_is_answered(fake: FakeOllama, client: FlaskClient) -> None:
    """A body of several megabytes up, and one down."""
    vectors = [[index / 4096] * 256 for index in range(2048)]
    fake.script("/api/embed", answer_json({"embeddings": vectors, "prompt_eval_count": 2048}))
    body: Any = ask(client, input=["word " * 400] * 2048, encoding_format="base64").json
    assert [numbers(entry["embedding"]) for entry in body["data"]] == vectors


def test_an_engine_that_speaks_openai_embeds(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    speak_openai(fake, "bge-m3")
    data = [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}]
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    fake.script("/v1/embeddings", answer_json({"data": data, "usage": usage}))
    client = make_app(ENGINE="openai", ENGINE_BASE_URL=fake.url).test_client()
    body: Any = ask(client, model="bge-m3", encoding_format="base64").json
    assert numbers(body["data"][0]["embedding"]) == pytest.approx([0.6, 0.8])
    assert body["usage"] == usage
    assert body["model"] == "bge-m3"
