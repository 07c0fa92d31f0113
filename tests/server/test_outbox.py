"""Clients slower than the engine: what they get, when they are dropped, and who waits for them."""

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import socket as gevent_socket

from tensoria.errors import ServiceStopping
from tensoria.server import outbox
from tensoria.server.client import SocketClient
from tensoria.server.outbox import MOST_WAITING_BYTES, Outbox
from tensoria.server.response import OneSendResponse

EVENT = b"data: " + b"x" * 1000 + b"\n\n"


@dataclass
class Link:
    """A connection with small buffers: the end that writes is gevent's, the other the client's."""

    ours: Any
    theirs: Any

    def read(self, at_most: int = 1 << 30) -> bytes:
        """Read to the end, or so many bytes; other greenlets run meanwhile."""
        data = b""
        while len(data) < at_most and (received := self.theirs.recv(4096)):
            data += received
        return data

    def respond(self, *, is_ssl: bool = False) -> OneSendResponse:
        request = SimpleNamespace(method="POST", version=(1, 1), should_close=lambda: False)
        config = SimpleNamespace(sendfile=False, is_ssl=is_ssl)
        response = OneSendResponse(request, self.ours, config)
        response.start_response("200 OK", [("Content-Type", "text/event-stream")])
        return response


@pytest.fixture
def link() -> Iterator[Link]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Before the connection: its window is agreed on when it is made.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        client = gevent_socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
    with client, gevent_socket.socket(fileno=accepted.detach()) as ours:
        yield Link(ours, client)


def fill(response: OneSendResponse) -> int:
    """Write events until the client is dropped; returns how many went before that."""
    written = 0
    with pytest.raises(BrokenPipeError) as dropped:
        while written < 5000:
            response.write(EVENT)
            written += 1
    assert dropped.value.errno == errno.EPIPE
    return written


@pytest.mark.parametrize("is_ssl", [False, True])
def test_a_slow_reader_gets_every_byte_in_order(link: Link, is_ssl: bool) -> None:
    response = link.respond(is_ssl=is_ssl)
    events = [b"data: %d %s\n\n" % (number, b"y" * 500) for number in range(1000)]
    for event in events:
        response.write(event)
    assert response.unread
    closing = gevent.spawn(response.close)
    framed = b"".join(b"%X\r\n%b\r\n" % (len(each), each) for each in events) + b"0\r\n\r\n"
    head = link.read(1)
    while b"\r\n\r\n" not in head:
        head += link.read(1)
    head, _, begun = head.partition(b"\r\n\r\n")
    body = begun + link.read(len(framed) - len(begun))
    closing.get(timeout=5)

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == framed
    assert not response.unread


def test_writing_never_waits_for_the_client(link: Link) -> None:
    response = link.respond()
    with gevent.Timeout(2):
        fill(response)


def test_a_client_with_too_much_waiting_is_reset(link: Link) -> None:
    response = link.respond()
    written = fill(response)
    link.ours.close()

    assert written * len(EVENT) > MOST_WAITING_BYTES
    assert response.unread
    with pytest.raises(ConnectionResetError):
        link.read()


def test_after_the_drop_nothing_is_written_and_nothing_is_waited_for(link: Link) -> None:
    response = link.respond()
    fill(response)

    with pytest.raises(BrokenPipeError):
        response.write(EVENT)
    with pytest.raises(BrokenPipeError), gevent.Timeout(2):
        response.close()
    # What gunicorn reads next is the end: no request can follow.
    assert link.ours.recv(10) == b""


def test_an_answer_is_not_dropped_for_its_size(link: Link) -> None:
    """The finish chunk comes right behind a giant event, before anybody can have read it."""
    response = link.respond()
    response.write(b"z" * (3 * MOST_WAITING_BYTES))
    response.write(EVENT)
    closing = gevent.spawn(response.close)
    data = link.read(3 * MOST_WAITING_BYTES + len(EVENT))
    reading = gevent.spawn(link.read)
    closing.get(timeout=5)
    reading.kill()

    assert data.count(b"z") == 3 * MOST_WAITING_BYTES


def test_the_next_answer_on_the_connection_comes_behind_the_first(link: Link) -> None:
    def serve() -> None:
        for letter in (b"a", b"b"):
            response = link.respond()
            response.write(letter * 300_000)
            response.close()
        link.ours.shutdown(socket.SHUT_WR)

    serving = gevent.spawn(serve)
    data = link.read()
    serving.get(timeout=5)

    first, second = (part.partition(b"\r\n\r\n")[2] for part in data.split(b"HTTP/1.1 ")[1:])
    assert first == b"493E0\r\n" + b"a" * 300_000 + b"\r\n0\r\n\r\n"
    assert second == b"493E0\r\n" + b"b" * 300_000 + b"\r\n0\r\n\r\n"


def test_an_answer_that_was_read_goes_out_at_once_again(link: Link) -> None:
    """Without the outbox: a writer for each of thousands of events would cost more than they."""
    response = link.respond()
    response.write(b"q" * 300_000)
    link.read(300_000)
    while response.unread:
        link.read(1)
    response.write(b"last")

    assert not response.unread


@pytest.mark.parametrize("size", [200_000, 3 * MOST_WAITING_BYTES])
def test_a_client_that_stands_still_is_dropped_at_the_close(
    link: Link, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "STALLED_SECONDS", 0.2)
    response = link.respond()
    response.write(b"w" * size)
    with pytest.raises(BrokenPipeError), gevent.Timeout(5):
        response.close()

    assert response.unread


def test_a_client_that_reads_a_little_is_waited_for(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "STALLED_SECONDS", 0.4)
    response = link.respond()
    response.write(b"w" * 400_000)
    closing = gevent.spawn(response.close)
    taken = 0
    while taken < 300_000:
        gevent.sleep(0.1)
        taken += len(link.read(40_000))
    reading = gevent.spawn(link.read)
    closing.get(timeout=5)
    reading.kill()

    assert not response.unread


def leave(link: Link) -> None:
    link.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.theirs.close()


def test_a_client_that_leaves_ends_the_wait(link: Link) -> None:
    response = link.respond()
    response.write(b"w" * 200_000)
    closing = gevent.spawn(_outcome, response.close)
    gevent.sleep(0.05)
    leave(link)

    assert isinstance(closing.get(timeout=5), (BrokenPipeError, ConnectionResetError))


def test_the_end_of_the_request_ends_the_wait_and_the_connection(link: Link) -> None:
    response = link.respond()
    made: list[SocketClient] = []

    def serve() -> None:
        made.append(SocketClient(link.ours, response=response))
        response.write(b"w" * 200_000)
        response.close()

    serving = gevent.spawn(_outcome, serve)
    gevent.sleep(0.05)
    gevent.get_hub().loop.run_callback(made[0].end, ServiceStopping())

    assert serving.get(timeout=5).error.code == "service_stopping"
    assert made[0].unread()
    assert link.ours.recv(10) == b""


def _outcome(work: Callable[[], None]) -> Any:
    try:
        work()
    except BaseException as error:  # noqa: BLE001  # what was thrown is what is asked for
        return error
    return None


def test_a_send_that_fails_is_told_at_the_next_write(link: Link) -> None:
    box = Outbox(link.ours)
    box.put(b"w" * 200_000)
    leave(link)
    gevent.sleep(0.05)

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        box.put(b"more")
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        box.wait_until_empty()
