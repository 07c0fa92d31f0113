import queue
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
import requests

from tensoria.engine.supervisor import Event, Ready, Supervisor
from tests.e2e.service import Service, running_service
from tests.engine.demo import demo_engine
from tests.fake_ollama import FakeOllama


@pytest.fixture
def service(tmp_path: Path, fake: FakeOllama) -> Iterator[Service]:
    """The real gunicorn in front of the fake engine, with a key set, and a slot for everybody."""
    with running_service(tmp_path, fake.url, MAX_CONCURRENCY="128") as started:
        yield started


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """A client that no proxy of the developer's environment leads away from loopback."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    """OpenAI's own client of the real service in front of the embedded engine's demo model."""
    demo = demo_engine()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    supervisor = Supervisor(demo.told, demo.environ, events.put)
    supervisor.start()
    try:
        ready = events.get(timeout=30)
        assert isinstance(ready, Ready), ready
        url = f"http://127.0.0.1:{ready.port}/v1"
        settings = {
            "ENGINE": "openai",
            "ENGINE_BASE_URL": url,
            "ENGINE_API_KEY": demo.told["api_key"],
            "DEFAULT_MODEL": "smollm2:135m",
        }
        with (
            running_service(tmp_path_factory.mktemp("service"), url, **settings) as service,
            openai.OpenAI(base_url=f"{service.url}/v1", api_key=service.key, max_retries=0) as made,
        ):
            yield made
    finally:
        supervisor.stop()
