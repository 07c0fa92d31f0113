from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.service import Service, running_service
from tests.fake_ollama import FakeOllama


@pytest.fixture
def service(tmp_path: Path, fake: FakeOllama) -> Iterator[Service]:
    """The real gunicorn in front of the fake engine, with a key set."""
    with running_service(tmp_path, fake.url) as started:
        yield started


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """A client that no proxy of the developer's environment leads away from loopback."""
    with requests.Session() as session:
        session.trust_env = False
        yield session
