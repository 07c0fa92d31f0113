"""A cold model under gunicorn and gevent: its load outlives its clients, and holds up no stop."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.service import GUNICORN, Service, clean_environment, free_port, running, wait_for
from tests.e2e.test_service import LAST_CHUNK, post, raw_chat, read_until
from tests.e2e.test_stopping import Running, _status
from tests.fake_ollama import LOAD, Exchange, FakeOllama, hang

pytestmark = pytest.mark.e2e


@pytest.fixture
def cold(tmp_path: Path, fake: FakeOllama) -> Iterator[Running]:
    """The service in front of an Ollama that has nothing in memory."""
    fake.loaded = []
    port = free_port()
    environ = {
        **clean_environment(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OLLAMA_BASE_URL": fake.url,
        "API_PORT": str(port),
        "API_KEY": "one",
        "DEFAULT_MODEL": "smollm2:135m",
        "MAX_CONCURRENCY": "4",
        "LOAD_TIMEOUT": "3",
    }
    with running(GUNICORN, tmp_path, environ) as (process, log):
        service = Service(port=port, key="one", log=log)
        wait_for(lambda: _status(service) == 200, "the first answer", log)
        yield process, service


def loads_when(fake: FakeOllama, gate: threading.Event) -> None:
    def load(exchange: Exchange) -> None:
        exchange.wait_for(gate)
        fake.default(exchange.request)(exchange)

    fake.script(LOAD, load)


def test_one_of_two_clients_leaves_and_the_other_is_answered_after_one_load(
    fake: FakeOllama, cold: Running
) -> None:
    gate = threading.Event()
    loads_when(fake, gate)
    _, service = cold
    with raw_chat(service, stream=True) as patient:
        fake.wait_for_request(LOAD)
        raw_chat(service, stream=True).close()
        gate.set()
        answer = read_until(patient, LAST_CHUNK)

    assert b"data: [DONE]" in answer
    assert len(fake.received(LOAD)) == 1


def test_all_clients_leave_and_the_next_one_finds_the_model_loaded(
    fake: FakeOllama, cold: Running, http: requests.Session
) -> None:
    gate = threading.Event()
    loads_when(fake, gate)
    _, service = cold
    leaving = [raw_chat(service, stream=streaming) for streaming in (True, False)]
    fake.wait_for_request(LOAD)
    for client in leaving:
        client.close()
    wait_for(lambda: service.log.read_text().count(" 499") == 2, "their end", service.log)
    gone = fake.received(LOAD)[0].disconnected.is_set()
    gate.set()
    answer = post(service, http)

    assert not gone
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    assert len(fake.received(LOAD)) == 1


@pytest.mark.parametrize("wanted", [signal.SIGTERM, signal.SIGHUP])
def test_a_load_under_way_holds_up_no_worker_that_has_to_end(
    fake: FakeOllama, cold: Running, http: requests.Session, wanted: signal.Signals
) -> None:
    fake.script(LOAD, hang)
    process, service = cold
    answer = post(service, http)
    assert answer.status_code == 504
    assert "LOAD_TIMEOUT" in answer.json()["error"]["message"]
    assert not fake.received(LOAD)[0].disconnected.is_set()
    http.close()
    fake.script(LOAD)
    process.send_signal(wanted)
    fake.wait_for_disconnect(LOAD, timeout=10)

    if wanted == signal.SIGTERM:
        assert process.wait(5) == 0
    else:
        assert post(service, http).status_code == 200
