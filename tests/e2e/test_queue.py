"""The queue with the real worker, where waiting is a greenlet's."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.service import Service, running_service, wait_for
from tests.e2e.test_leaving import LEAVE
from tests.e2e.test_service import raw_chat, read_until
from tests.fake_ollama import FakeOllama, chat_line, done_line, stream

pytestmark = pytest.mark.e2e


@pytest.fixture
def narrow(tmp_path: Path, fake: FakeOllama) -> Iterator[Service]:
    """A service with one slot and four places."""
    settings = {"MAX_CONCURRENCY": "1", "MAX_QUEUE": "4"}
    with running_service(tmp_path, fake.url, **settings) as started:
        yield started


@pytest.mark.parametrize("streamed", [True, False])
@LEAVE
def test_a_client_that_leaves_the_queue_is_never_sent_to_the_engine(
    fake: FakeOllama, narrow: Service, streamed: bool, leave: Callable[[socket.socket], None]
) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([chat_line("A"), gate, done_line()]))
    with raw_chat(narrow, stream=True) as first:
        read_until(first, b'"A"')
        with raw_chat(narrow, stream=streamed) as second:
            leave(second)
            wait_for(lambda: " status=499 " in narrow.log.read_text(), "the line", narrow.log)
        with raw_chat(narrow, stream=True) as third:
            gate.set()
            read_until(third, b"[DONE]")

    assert len(fake.received("/api/chat")) == 2
    assert "Traceback" not in narrow.log.read_text()


def test_too_many_at_once_are_refused_and_all_others_answered(
    fake: FakeOllama, narrow: Service
) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([gate, chat_line("A"), done_line()]))
    clients = [raw_chat(narrow, stream=True) for _ in range(5)]
    wait_for(lambda: narrow.log.read_text().count(" status=429 ") == 2, "two 429", narrow.log)
    gate.set()
    statuses = [status_of(client) for client in clients]

    assert sorted(statuses) == [b"200"] * 3 + [b"429"] * 2


def status_of(client: socket.socket) -> bytes:
    """Return an answer's status once it has come to its end."""
    with client:
        begun = read_until(client, b"\r\n\r\n")
        status = begun.split(b" ", 2)[1]
        if status == b"200" and b"[DONE]" not in begun:
            read_until(client, b"[DONE]")
        return status
