"""A wish to think, from the client to the engine."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import FakeOllama, model_entry

CHAT = "/v1/chat/completions"
HELLO = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}


def sent(fake: FakeOllama) -> Any:
    (received,) = fake.received("/api/chat")
    return received.json.get("think")


def can_think(fake: FakeOllama) -> None:
    fake.models = [model_entry(capabilities=("completion", "thinking"))]


def test_model_that_cannot_think_answers_and_the_effort_is_told(
    fake: FakeOllama, client: FlaskClient
) -> None:
    response = client.post(CHAT, json={**HELLO, "reasoning_effort": "high"})

    assert response.status_code == 200
    assert response.headers["X-Tensoria-Ignored"] == "reasoning_effort"
    assert sent(fake) is None


@pytest.mark.parametrize("field", [{"reasoning_effort": "none"}, {"think": False}])
def test_model_that_cannot_think_may_be_told_not_to(
    fake: FakeOllama, client: FlaskClient, field: dict[str, Any]
) -> None:
    response = client.post(CHAT, json={**HELLO, **field})

    assert response.status_code == 200
    assert "X-Tensoria-Ignored" not in response.headers
    assert sent(fake) is None


def test_effort_reaches_a_model_that_thinks(fake: FakeOllama, client: FlaskClient) -> None:
    can_think(fake)
    response = client.post(CHAT, json={**HELLO, "reasoning": {"effort": "minimal"}})

    assert response.headers["X-Tensoria-Adjusted"] == "reasoning.effort=low"
    assert sent(fake) == "low"


@pytest.mark.parametrize(
    ("fields", "expected"), [({}, "low"), ({"think": True}, True), ({"think": "high"}, "high")]
)
def test_default_effort_is_for_requests_that_name_none(
    fake: FakeOllama, make_app: Callable[..., Flask], fields: dict[str, Any], expected: object
) -> None:
    can_think(fake)
    client = make_app(DEFAULT_REASONING_EFFORT="low").test_client()
    response = client.post(CHAT, json={**HELLO, **fields})

    assert response.status_code == 200
    assert sent(fake) == expected


def test_default_effort_leaves_other_models_alone(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    response = make_app(DEFAULT_REASONING_EFFORT="low").test_client().post(CHAT, json=HELLO)

    assert response.status_code == 200
    assert "X-Tensoria-Ignored" not in response.headers
    assert sent(fake) is None


@pytest.mark.parametrize(
    ("owner", "fields", "expected"),
    [
        ("llamacpp", {"reasoning_effort": "xhigh"}, "reasoning_effort=high"),
        ("llamacpp", {"reasoning": {"effort": "minimal"}}, "reasoning.effort=low"),
        ("llamacpp", {"think": "low"}, None),
        ("llamacpp", {"think": True}, None),
        ("llamacpp", {}, None),
        (
            "llamacpp",
            {"think": "max", "chat_template_kwargs": {"reasoning_effort": "max"}},
            None,
        ),
        ("vllm", {"reasoning_effort": "xhigh"}, None),
    ],
)
def test_level_that_a_template_does_not_know_is_told_as_adjusted(
    fake: FakeOllama,
    make_app: Callable[..., Flask],
    owner: str,
    fields: dict[str, Any],
    expected: str | None,
) -> None:
    speak_openai(fake, "m", owned_by=owner)
    client = make_app(ENGINE="openai", ENGINE_BASE_URL=f"{fake.url}/v1").test_client()
    response = client.post(CHAT, json={**HELLO, "model": "m", **fields})

    assert response.status_code == 200
    assert response.headers.get("X-Tensoria-Adjusted") == expected
