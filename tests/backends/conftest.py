from collections.abc import Callable, Iterator

import pytest

from tensoria.backends.base import AnswerId
from tensoria.backends.ollama import OllamaBackend
from tensoria.backends.transport import Transport
from tensoria.config import Settings
from tests.fake_ollama import FakeOllama

ANSWER = AnswerId("chatcmpl-test", 1_700_000_000)


@pytest.fixture
def transport(fake: FakeOllama) -> Iterator[Transport]:
    """A pooled transport to the fake, for four at a time."""
    opened = Transport(fake.url, concurrency=4)
    yield opened
    opened.close()


@pytest.fixture
def make_backend(fake: FakeOllama) -> Callable[..., OllamaBackend]:
    """Build the backend in front of the fake; keywords are settings."""

    def make(**variables: str) -> OllamaBackend:
        variables = {"OLLAMA_BASE_URL": fake.url, "DEFAULT_MODEL": "smollm2:135m", **variables}
        return OllamaBackend(Settings.from_env(variables))

    return make
