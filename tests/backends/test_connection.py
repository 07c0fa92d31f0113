"""One connection: what it thinks of a pooled socket, and how its waits end."""

import socket
import threading
import time
from collections.abc import Iterator
from math import inf

import pytest

from tensoria.backends.connection import Connection
from tensoria.backends.sweeper import Sweeper


class Below:
    """A socket as gevent makes them: the plain, non-blocking one is below."""

    def __init__(self, plain: socket.socket) -> None:
        plain.setblocking(False)
        self._sock = plain

    def close(self) -> None:
        self._sock.close()


class Polled(socket.socket):
    """A socket that is not waited at: gevent's, as far as it is polled and cut."""

    def __init__(self, plain: socket.socket) -> None:
        super().__init__(fileno=plain.detach())
        self.setblocking(False)

    @property
    def _sock(self) -> socket.socket:
        return self


Pair = tuple[Connection, socket.socket]


@pytest.fixture(params=["gevent", "plain"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A connection, on a socket of either kind, and its other end."""
    ours, theirs = socket.socketpair()
    sock = Below(ours) if request.param == "gevent" else ours
    with ours, theirs:
        yield Connection(sock, Sweeper()), theirs  # type: ignore[arg-type]


@pytest.fixture
def plain() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(ours, Sweeper()), theirs


def soon(seconds: float = 0.1) -> float:
    return time.monotonic() + seconds


def test_a_silent_connection_can_be_used(pair: Pair) -> None:
    assert pair[0].is_silent()


def test_a_connection_that_was_closed_cannot(pair: Pair) -> None:
    pair[1].close()

    assert not pair[0].is_silent()


def test_a_connection_with_bytes_that_nobody_asked_for_cannot(pair: Pair) -> None:
    pair[1].sendall(b"HTTP/1.1 408 Request Timeout\r\n")

    assert not pair[0].is_silent()


def test_a_connection_that_we_closed_cannot(pair: Pair) -> None:
    pair[0].close()
    pair[0].close()

    assert not pair[0].is_silent()


def test_a_receive_that_gets_nothing_in_time_is_a_timeout(plain: Pair) -> None:
    with pytest.raises(TimeoutError):
        plain[0].receive(soon())

    assert plain[0].timed_out


def test_a_send_that_nobody_reads_is_a_timeout(plain: Pair) -> None:
    with pytest.raises(TimeoutError):
        plain[0].send(b"x" * 20_000_000, soon())


def test_a_limit_counts_only_while_something_is_waited_for(plain: Pair) -> None:
    """Whoever reads may be busy with what it has: that is no silence of the engine."""
    plain[1].sendall(b"a")
    assert plain[0].receive(soon()) == b"a"
    assert plain[0].due == inf
    plain[0].send(b"b", soon())
    assert plain[0].due == inf


def test_what_came_before_a_cut_is_not_lost(plain: Pair) -> None:
    plain[1].sendall(b"a")
    plain[0].expire()

    assert plain[0].receive(soon(5)) == b"a"
    with pytest.raises(TimeoutError):
        plain[0].receive(soon(5))


def test_a_cut_from_another_thread_ends_a_wait_at_once_and_is_no_timeout(plain: Pair) -> None:
    threading.Timer(0.1, plain[0].cut).start()
    started = time.monotonic()

    assert plain[0].receive(soon(60)) == b""
    assert time.monotonic() - started < 5


def test_a_reset_is_no_timeout(plain: Pair) -> None:
    plain[0].send(b"unread", soon(5))
    plain[1].close()

    with pytest.raises(ConnectionResetError):
        plain[0].receive(soon(5))


def test_what_does_not_come_at_once_is_not_waited_for_longer(plain: Pair) -> None:
    plain[1].sendall(b"a")
    assert plain[0].receive_shortly(5) == b"a"
    with pytest.raises(TimeoutError):
        plain[0].receive_shortly(0.05)


class Waits(Below):
    """gevent's socket as far as a receive needs it; it may be woken for nothing."""

    _read_event = "readable"

    def __init__(self, plain: socket.socket) -> None:
        super().__init__(plain)
        self.waited_for: list[str] = []
        self.comes = b"a"

    def _wait(self, event: str) -> None:
        self.waited_for.append(event)

    def recv(self, _size: int) -> bytes:
        return self.comes


def test_on_a_socket_of_gevents_nothing_is_tried_before_it_is_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sock = Waits(ours)
        connection = Connection(sock, Sweeper())  # type: ignore[arg-type]
        theirs.sendall(b"b")

        assert connection.receive(soon(5)) == b"b"
        assert sock.waited_for == ["readable"]


def test_who_is_woken_for_nothing_waits_on() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(Waits(ours), Sweeper())  # type: ignore[arg-type]

        assert connection.receive(soon(5)) == b"a"


@pytest.fixture
def polled() -> Iterator[Pair]:
    """A connection on a socket of gevent's, below which nothing waits."""
    ours, theirs = socket.socketpair()
    with Polled(ours) as sock, theirs:
        yield Connection(sock, Sweeper()), theirs


def test_a_poll_returns_what_has_come_and_waits_for_nothing(polled: Pair) -> None:
    connection, theirs = polled
    assert connection.source is not None
    assert connection.poll() is None
    theirs.sendall(b"ab")
    assert connection.poll() == b"ab"
    theirs.close()
    assert connection.poll() == b""


def test_a_poll_on_a_reset_connection_raises_it(polled: Pair) -> None:
    connection, theirs = polled
    connection.send(b"unread", soon(5))
    theirs.close()

    with pytest.raises(ConnectionResetError):
        connection.poll()


def test_what_is_late_for_a_poll_is_a_timeout(polled: Pair) -> None:
    connection, _ = polled
    connection.timed_out = True
    connection.cut()

    with pytest.raises(TimeoutError):
        connection.poll()


def test_what_cannot_be_polled_has_no_source(plain: Pair) -> None:
    assert plain[0].source is None
