"""POST /v1/messages/count_tokens, through the whole service."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.test_messages import ASK, IMAGE, MODEL, TOOL, able
from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import FakeOllama, answer_html, answer_json

PATH = "/v1/messages/count_tokens"
HI = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def llama(fake: FakeOllama, make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a service in front of a llama.cpp that tells prompts and tokens."""
    speak_openai(fake, MODEL, owned_by="llamacpp")
    fake.script("/apply-template", answer_json({"prompt": "<|user|>Hi"}))
    fake.script("/tokenize", answer_json({"tokens": [1, 2, 3, 4, 5]}))
    engine = {"ENGINE": "openai", "ENGINE_BASE_URL": f"{fake.url}/v1"}
    return make_app(**engine).test_client()


def test_llama_cpp_counts_the_prompt_that_it_would_run(
    fake: FakeOllama, llama: FlaskClient
) -> None:
    response = llama.post(PATH, json={**HI, "system": "Be brief."})
    (template,), (tokens,) = fake.received("/apply-template"), fake.received("/tokenize")

    assert response.get_json() == {"input_tokens": 5}
    assert "X-Tensoria-Estimated" not in response.headers
    assert template.json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    assert tokens.json == {"content": "<|user|>Hi", "add_special": True, "parse_special": True}
    assert fake.received("/v1/chat/completions") == []


@pytest.mark.parametrize("path", ["/apply-template", "/tokenize"])
@pytest.mark.parametrize(
    "answer",
    [answer_json({}, 404), answer_json({}), answer_json([]), answer_html(200)],
    ids=["404", "{}", "[]", "HTML"],
)
def test_a_llama_cpp_that_cannot_count_is_estimated(
    fake: FakeOllama, llama: FlaskClient, path: str, answer: Any
) -> None:
    fake.script(path, answer)
    response = llama.post(PATH, json=HI)

    assert response.headers["X-Tensoria-Estimated"] == "input_tokens"
    assert response.get_json() == {"input_tokens": 5}


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": [IMAGE]}]},
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
    ],
    ids=["image", "forced call"],
)
def test_what_llama_cpp_would_not_count_exactly_is_estimated(
    llama: FlaskClient, fields: dict[str, Any]
) -> None:
    response = llama.post(PATH, json={**HI, **fields})

    assert response.headers["X-Tensoria-Estimated"] == "input_tokens"


def test_ollama_is_estimated_and_runs_nothing(fake: FakeOllama, client: FlaskClient) -> None:
    response = client.post(PATH, json={**HI, "system": "x" * 400})

    assert response.get_json() == {"input_tokens": 101 + 8}
    assert response.headers["X-Tensoria-Estimated"] == "input_tokens"
    assert fake.received("/api/chat") == fake.received("/api/generate") == []


def test_an_engine_of_another_kind_is_estimated(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    speak_openai(fake, MODEL)
    engine = {"ENGINE": "openai", "ENGINE_BASE_URL": f"{fake.url}/v1"}
    response = make_app(**engine).test_client().post(PATH, json=HI)

    assert response.headers["X-Tensoria-Estimated"] == "input_tokens"


def test_the_body_of_a_message_is_taken_and_what_has_no_effect_is_told(
    fake: FakeOllama, client: FlaskClient
) -> None:
    able(fake, "tools")
    response = client.post(PATH, json={**ASK, "tools": [TOOL], "thinking": {"type": "disabled"}})

    assert response.status_code == 200
    assert response.headers["X-Tensoria-Ignored"] == "max_tokens,thinking"


def test_an_unknown_model_is_not_found(client: FlaskClient) -> None:
    response = client.post(PATH, json={**HI, "model": "no"})

    assert (response.status_code, response.get_json()["error"]["param"]) == (404, "model")


def test_an_engine_that_is_gone_is_no_estimate(fake: FakeOllama, llama: FlaskClient) -> None:
    llama.post(PATH, json=HI)
    fake.stop()
    response = llama.post(PATH, json=HI)

    assert response.status_code == 503
