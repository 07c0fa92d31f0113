"""The end of a run from another thread: what it holds, and what it leaves alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tensoria.backends.ending import Ending, ended_by
from tensoria.backends.limits import Limits
from tensoria.backends.transport import Transport
from tensoria.errors import BackendError
from tests.fake_ollama import FakeOllama, chat_line, done_line, hang, stream

PATH = "/api/chat"
LIMITS = Limits(5, 5)


def ask(transport: Transport, ending: Ending) -> bytes:
    with ended_by(ending), transport.open(PATH, {}, LIMITS) as body:
        return body.read_all(1000)


@pytest.mark.parametrize("said", [hang, stream([hang]), stream([chat_line("A"), hang])])
def test_who_waits_for_the_engine_wakes_and_fails(
    fake: FakeOllama, transport: Transport, said: object
) -> None:
    fake.script(PATH, said)  # type: ignore[arg-type]
    ending = Ending()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, transport, ending)
        fake.wait_for_request(PATH)
        ending.end()
        with pytest.raises(BackendError):
            asked.result(timeout=3)
    fake.wait_for_disconnect(PATH, timeout=3)
    assert len(fake.received(PATH)) == 1


def test_what_has_ended_sends_nothing(fake: FakeOllama, transport: Transport) -> None:
    """On a connection from the pool as on a new one."""
    ending = Ending()
    ending.end()
    for _ in range(2):
        with pytest.raises(BackendError):
            ask(transport, ending)
        ask(transport, Ending())

    assert len(fake.received(PATH)) == 2


def test_a_connection_that_went_back_to_the_pool_is_left_alone(
    fake: FakeOllama, transport: Transport
) -> None:
    fake.script(PATH, stream([chat_line("A"), done_line()]))
    ending = Ending()
    first = ask(transport, ending)
    gate = threading.Event()
    fake.script(PATH, stream([chat_line("A"), gate, done_line()]))
    with ThreadPoolExecutor() as pool:
        second = pool.submit(ask, transport, Ending())
        fake.wait_for_request(PATH, count=2)
        ending.end()
        gate.set()

        assert second.result(timeout=3) == first
    assert fake.connections_opened == 1


def test_what_others_wait_for_as_well_is_not_ended(fake: FakeOllama, transport: Transport) -> None:
    ending = Ending()
    ending.end()
    with ended_by(ending):
        status, _ = transport.json("GET", "/api/version", seconds=5)

    assert status == 200
