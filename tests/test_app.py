"""The composition root: what one app is made of, and that two share nothing."""

from collections.abc import Callable

import pytest
from flask import Flask

from tensoria.app import create_app, create_backend
from tensoria.backends.ollama import OllamaBackend
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.backends.router import EmbeddingsRouter
from tensoria.config import Settings


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

    assert {client.get(path).status_code for path in ("/static/x", "/docs", "/openapi.json")} == {
        404
    }
