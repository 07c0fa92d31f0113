"""Streams that are written from the hub: what a step returns, raises, and what ends it."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.hub import get_hub

from tensoria.errors import BackendError, ClientClosed, RequestEnded, ServiceStopping
from tensoria.server.pump import MOST_WRITES, Batch, Pump

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


def pumping(
    ours: socket.socket, step: Callable[[], Any], response: Any, batch: Batch | None = None
) -> gevent.Greenlet:
    """Return a greenlet that sleeps in a pump."""
    greenlet = gevent.spawn(Pump(response, step, batch or Batch()).run, ours.fileno())
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
            Pump(written, reading(ours), Batch()).run(ours.fileno())  # type: ignore[arg-type]
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


class Noted(Written):
    """Notes its writes beside the steps that are taken."""

    def __init__(self, noted: list[str]) -> None:
        super().__init__()
        self._noted = noted

    def write(self, data: bytes) -> None:
        self._noted.append("write")
        super().write(data)


@pytest.fixture
def streams() -> Iterator[list[Pair]]:
    """One more than are written to at a time."""
    pairs = [socket.socketpair() for _ in range(MOST_WRITES + 1)]
    for _, ours in pairs:
        ours.setblocking(False)
    yield pairs
    for theirs, ours in pairs:
        theirs.close()
        ours.close()


def test_what_is_ready_together_is_written_together_so_much_at_a_time(streams: list[Pair]) -> None:
    noted: list[str] = []

    def noting(ours: socket.socket) -> Callable[[], bytes | None]:
        read = reading(ours)

        def step() -> bytes | None:
            noted.append("step")
            return read()

        return step

    batch = Batch()
    greenlets = [pumping(ours, noting(ours), Noted(noted), batch) for _, ours in streams]
    for theirs, _ in streams:
        theirs.sendall(b"ab")
    while noted.count("write") < len(streams):
        gevent.sleep(0.001)
    gevent.killall(greenlets)

    steps, writes = ["step"] * MOST_WRITES, ["write"] * MOST_WRITES
    assert noted == [*steps, *writes, "step", "write"]


def test_a_client_that_is_gone_costs_the_others_of_its_batch_nothing(streams: list[Pair]) -> None:
    batch, there = Batch(), Written()
    gone = pumping(streams[0][1], reading(streams[0][1]), Written(gone=True), batch)
    stays = pumping(streams[1][1], reading(streams[1][1]), there, batch)
    for theirs, _ in streams[:2]:
        theirs.sendall(b"ab")
    with pytest.raises(ClientClosed):
        _result(gone)
    streams[1][0].sendall(b".")
    _result(stays)

    assert there.pieces == [b"ab"]


class Unwritten(Batch):
    """A batch whose turn does not come."""

    def write(self) -> None:
        pass


def test_what_waits_for_its_batch_is_written_before_the_end(pair: Pair) -> None:
    theirs, ours = pair
    written = Written()
    greenlet = pumping(ours, reading(ours), written, Unwritten())
    theirs.sendall(b"abcd.")
    _result(greenlet)

    assert written.pieces == [b"abcd"]


def test_what_waits_for_its_batch_is_written_before_an_error_is_told(pair: Pair) -> None:
    theirs, ours = pair
    written = Written()
    steps: Iterator[bytes] = iter([b"ab"])
    greenlet = pumping(ours, lambda: next(steps), written, Unwritten())
    theirs.sendall(b".")
    with pytest.raises(StopIteration):
        _result(greenlet)

    assert written.pieces == [b"ab"]


def _result(greenlet: gevent.Greenlet) -> object:
    # Not `get` alone: gevent would print what is raised.
    greenlet.join(5)
    assert greenlet.ready()
    return greenlet.get()
