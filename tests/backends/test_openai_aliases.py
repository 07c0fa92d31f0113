"""The other names that an engine's list gives its models."""

import pytest

from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.config import Settings
from tests.fake_ollama import FakeOllama, answer_json

ENTRIES = [
    {"id": "one", "aliases": ["uno", "two"]},
    {"id": "two", "aliases": ["two", "dos"]},
]


@pytest.fixture
def backend(fake: FakeOllama) -> OpenAIBackend:
    fake.script("/v1/models", answer_json({"data": ENTRIES}))
    return OpenAIBackend(Settings.from_env({"ENGINE": "openai", "ENGINE_BASE_URL": fake.url}))


@pytest.mark.parametrize(
    ("asked", "found"), [("one", "one"), ("UNO", "one"), ("two", "two"), ("dos:latest", "two")]
)
def test_model_is_found_by_each_name_and_first_by_its_id(
    backend: OpenAIBackend, asked: str, found: str
) -> None:
    assert backend.model(asked)["id"] == found


def test_model_is_listed_once_under_its_id(backend: OpenAIBackend) -> None:
    assert [model["id"] for model in backend.models()] == ["one", "two"]
