"""The composition root: what one app is made of, and that two share nothing."""

import logging
import threading
from collections.abc import Callable

import pytest
from flask import Flask

from tensoria.app import create_app, create_backend, look_at_engine
from tensoria.backends.ollama import OllamaBackend
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.backends.router import EmbeddingsRouter
from tensoria.config import Settings
from tests.fake_ollama import FakeOllama, close


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({}, OllamaBackend),
        ({"ENGINE": "ollama"}, OllamaBackend),
        ({"ENGINE": "openai", "ENGINE_BASE_URL": "http://127.0.0.1:1"}, OpenAIBackend),
        (
            {
                "ENGINE": "openai",
                "ENGINE_BASE_URL": "http://127.0.0.1:1",
                "EMBEDDINGS_BASE_URL": "http://127.0.0.1:2",
            },
            EmbeddingsRouter,
        ),
    ],
)
def test_the_settings_name_the_engine(variables: dict[str, str], kind: type[object]) -> None:
    assert type(create_backend(Settings.from_env(variables))) is kind


def test_an_app_may_be_given_a_backend() -> None:
    settings = Settings.from_env({})
    backend = create_backend(settings)

    assert create_app(settings, backend).extensions["tensoria"].backend is backend


def test_building_an_app_touches_no_engine() -> None:
    """The service comes up before its engine does."""
    app = create_app(Settings.from_env({"OLLAMA_BASE_URL": "http://127.0.0.1:1"}))

    assert app.test_client().get("/health").status_code == 200


def test_two_apps_share_no_key(make_app: Callable[..., Flask]) -> None:
    one, two = make_app(API_KEY="one").test_client(), make_app(API_KEY="two").test_client()

    assert one.get("/v1/models", headers={"X-API-Key": "one"}).status_code == 200
    assert two.get("/v1/models", headers={"X-API-Key": "one"}).status_code == 401


def test_no_path_serves_files(make_app: Callable[..., Flask]) -> None:
    client = make_app().test_client()

    assert {client.get(path).status_code for path in ("/static/x", "/docs/assets/x")} == {404}


def _looked(app: Flask, caplog: pytest.LogCaptureFixture) -> str:
    with caplog.at_level(logging.WARNING, logger="tensoria.engine"):
        look_at_engine(app)
        for thread in threading.enumerate():
            if thread.name == "first-look":
                thread.join()
    return caplog.text


def test_the_start_logs_what_ready_warns_of(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(DEFAULT_MODEL="smollm2:135m", MODEL_ALIASES="gpt-4o=mistral")

    assert "ollama pull mistral" in _looked(app, caplog)


def test_the_start_logs_an_engine_that_does_not_answer(
    fake: FakeOllama, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    fake.script("/api/version", close)

    assert "The connection to the engine broke." in _looked(make_app(), caplog)
