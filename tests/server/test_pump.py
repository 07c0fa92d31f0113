"""Streams that are written from the hub: what a step returns, raises, and what ends it."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.hub import get_hub

from tensoria.errors import BackendError, ClientClosed, RequestEnded, ServiceStopping
from tensoria.server.pump import Pump

Pair = tuple[socket.socket, socket.socket]


class Written:
    """A response that keeps what is written, or whose client is gone."""

    def __init__(self, gone: bool = False) -> None:
        self.pieces: list[bytes] = []
        self._gone = gone

    def write(self, data: bytes) -> None:
        if self._gone:
            raise BrokenPipeError
        self.pieces.append(data)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The engine's end, and ours, on which nothing waits."""
    theirs, ours = socket.socketpair()
    ours.setblocking(False)
    with theirs, ours:
        yield theirs, ours


def reading(ours: socket.socket) -> Callable[[], bytes | None]:
    """Return a step that reads two bytes, and takes a full stop for the end."""

    def step() -> bytes | None:
        data = ours.recv(2)
        return None if data == b"." else data

    return step


def pumping(ours: socket.socket, step: Callable[[], Any], response: Any) -> gevent.Greenlet:
    """Return a greenlet that sleeps in a pump."""
    greenlet = gevent.spawn(Pump(response, step).run, ours.fileno())
    gevent.sleep(0)
    return greenlet


def test_what_comes_is_written_until_the_end_and_nobody_is_woken_before(pair: Pair) -> None:
    theirs, ours = pair
    written = Written()
    greenlet = pumping(ours, reading(ours), written)
    theirs.sendall(b"abcd.")
    greenlet.join(5)

    assert greenlet.successful()
    assert written.pieces == [b"ab", b"cd"]


def test_what_is_behind_the_end_is_left_to_others(pair: Pair) -> None:
    theirs, ours = pair
    steps = iter([None])
    theirs.sendall(b"ab")
    pumping(ours, lambda: next(steps), Written()).join(5)

    assert ours.recv(10) == b"ab"


def test_nothing_to_say_writes_nothing(pair: Pair) -> None:
    theirs, ours = pair
    written = Written()
    steps = iter([b"", b"", b"a", None])
    theirs.sendall(b".")
    pumping(ours, lambda: next(steps), written).join(5)

    assert written.pieces == [b"a"]


def test_what_a_step_raises_is_raised_where_the_request_waits(pair: Pair) -> None:
    theirs, ours = pair

    def fails() -> bytes:
        raise BackendError("The engine ended the answer in the middle.")

    greenlet = pumping(ours, fails, Written())
    theirs.sendall(b"a")
    with pytest.raises(BackendError):
        _result(greenlet)


def test_a_client_that_takes_no_more_is_gone(pair: Pair) -> None:
    theirs, ours = pair
    greenlet = pumping(ours, reading(ours), Written(gone=True))
    theirs.sendall(b"a")
    with pytest.raises(ClientClosed):
        _result(greenlet)


def test_what_is_thrown_in_ends_it_and_no_further_step_is_taken(pair: Pair) -> None:
    theirs, ours = pair
    written = Written()
    taken: list[BaseException] = []

    def run() -> None:
        try:
            Pump(written, reading(ours)).run(ours.fileno())  # type: ignore[arg-type]
        except RequestEnded as ended:
            taken.append(ended.error)

    greenlet = gevent.spawn(run)
    gevent.sleep(0)
    stopping = ServiceStopping()
    get_hub().loop.run_callback(greenlet.throw, RequestEnded(stopping))
    greenlet.join(5)
    theirs.sendall(b"ab")
    gevent.sleep(0)

    assert taken == [stopping]
    assert ours.recv(10) == b"ab"
    assert written.pieces == []


def test_two_that_are_always_ahead_take_turns() -> None:
    """Each step is one turn of the loop, so that no engine has the worker for itself."""
    order: list[str] = []

    def endless(name: str) -> Callable[[], bytes | None]:
        steps = iter([b"x"] * 3)

        def step() -> bytes | None:
            order.append(name)
            return next(steps, None)

        return step

    with_byte = [socket.socketpair() for _ in range(2)]
    for theirs, _ in with_byte:
        theirs.sendall(b"a")
    greenlets = [
        pumping(ours, endless(name), Written())
        for name, (_, ours) in zip("ab", with_byte, strict=True)
    ]
    gevent.joinall(greenlets, timeout=5)
    for ends in with_byte:
        for end in ends:
            end.close()

    assert sorted(order[:2]) == sorted(order[-2:]) == ["a", "b"]


def _result(greenlet: gevent.Greenlet) -> object:
    # Not `get` alone: gevent would print what is raised.
    greenlet.join(5)
    assert greenlet.ready()
    return greenlet.get()
