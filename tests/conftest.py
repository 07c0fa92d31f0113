"""Fixtures that every room's tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings

from tensoria.app import create_app
from tensoria.config import Settings
from tests.contract.client import ContractClient
from tests.fake_ollama import FakeOllama

# The same examples each time, on a slow machine too: a suite that fails must fail again.
settings.register_profile(
    "tensoria", derandomize=True, database=None, deadline=None, max_examples=100
)
settings.load_profile("tensoria")


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    """A fake Ollama on a free port, ended with the test."""
    with FakeOllama() as server:
        yield server


@pytest.fixture
def make_app(fake: FakeOllama, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Build the app in front of the fake; keywords are settings (`API_KEY="k"`)."""
    made = []

    def make(**variables: str) -> Flask:
        # Many at a time, so that a stream which a test has not read holds up no other request.
        defaults = {"OLLAMA_BASE_URL": fake.url, "MAX_CONCURRENCY": "64"}
        defaults["DATA_DIR"] = str(tmp_path / "data")
        settings = Settings.from_env({**defaults, **variables})
        app = create_app(settings)
        app.test_client_class = ContractClient
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["tensoria"].accounts.close()
        app.extensions["tensoria"].memory.close()


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client without a key, whose every answer passes through OpenAI's contract."""
    return make_app().test_client()
