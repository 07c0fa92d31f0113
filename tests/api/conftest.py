import logging
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tensoria.logs import TextFormatter
from tests.fake_ollama import FakeOllama

KEY = "sk-tensoria-one"


class Lines(logging.Handler):
    """Keeps every line of every logger, formatted as the service formats them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(TextFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def of_requests(self) -> list[str]:
        """Return the lines that tell of a request."""
        return [line for line in self.lines if " tensoria.request: " in line]


@pytest.fixture
def log() -> Iterator[Lines]:
    """What is logged during the test, at the lowest level."""
    handler, root = Lines(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(before)
    root.removeHandler(handler)


@pytest.fixture
def keyed(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a service with a key; it sends none by itself."""
    return make_app(API_KEY=KEY).test_client()


@pytest.fixture
def hello(fake: FakeOllama) -> dict[str, object]:
    """A request that the fake answers with "Hello"."""
    return {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
