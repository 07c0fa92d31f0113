"""An engine's answer asked for without waiting: what is there, and what is left for `next`."""

import socket
import time
from collections.abc import Callable, Iterator
from math import inf
from typing import NamedTuple

import pytest

from tensoria.backends.adapter import EngineAdapter
from tensoria.backends.answer import Answer
from tensoria.backends.body import Body
from tensoria.backends.connection import Connection
from tensoria.backends.framing import LineDecoder
from tensoria.backends.head import Head
from tensoria.backends.limits import Clock, Limits, Total
from tensoria.backends.stream import MAX_LINE_BYTES, EngineStream
from tensoria.backends.sweeper import Sweeper
from tensoria.errors import BackendError, BackendTimeout
from tensoria.translate.chat import ToChunks
from tensoria.translate.chunks import Frame
from tensoria.wire.openai import Chunk
from tests.backends.test_connection import Polled
from tests.fake_ollama import chat_line, done_line

FRAME = Frame(id="chatcmpl-test", created=1, model="m")


class Pool(EngineAdapter):
    """Keeps what is given back, and shows it."""

    def idle(self) -> list[Connection]:
        return list(self._idle)


class Polling(NamedTuple):
    """A stream whose role has come, its engine's end, and what ends it when it is late."""

    stream: EngineStream[Chunk]
    engine: socket.socket
    connection: Connection


def drop(_: Connection) -> None:
    """Keep no connection."""


def open_stream(
    ours: socket.socket,
    engine: socket.socket,
    total: float = 60,
    keep: Callable[[Connection], None] = drop,
) -> Polling:
    """Return a chunked answer of which the first token was read."""
    connection = Connection(Polled(ours), Sweeper())
    answer = Answer(connection, Head(200, True, None, True), b"", keep)
    clock = Clock(Limits(5, 5, Total.of(total)))
    stream = EngineStream(
        Body(answer, clock), LineDecoder(MAX_LINE_BYTES), ToChunks(FRAME), model="m", adjusted={}
    )
    assert stream.source is not None
    engine.sendall(chunk(chat_line("Hel")))
    assert texts(stream.poll()) == ["", "Hel"]
    return Polling(stream, engine, connection)


@pytest.fixture
def polling() -> Iterator[Polling]:
    ours, engine = socket.socketpair()
    with ours, engine:
        opened = open_stream(ours, engine)
        yield opened
        opened.connection.close()


def chunk(payload: bytes) -> bytes:
    return b"%X\r\n%b\r\n" % (len(payload), payload)


def texts(chunks: list[Chunk] | None) -> list[str]:
    assert chunks is not None
    return [each["choices"][0]["delta"].get("content", "") for each in chunks if each["choices"]]


def test_what_has_come_is_returned_and_nothing_is_waited_for(polling: Polling) -> None:
    stream, engine, _ = polling
    assert stream.poll() == []
    engine.sendall(chunk(chat_line("lo")))
    assert texts(stream.poll()) == ["lo"]
    assert not stream.finished


def test_half_a_line_and_framing_alone_are_nothing_yet(polling: Polling) -> None:
    stream, engine, _ = polling
    line = chunk(chat_line("lo"))
    for part in (line[:3], line[3:20]):
        engine.sendall(part)
        assert stream.poll() == []
    engine.sendall(line[20:])
    assert texts(stream.poll()) == ["lo"]


def test_the_end_is_left_for_next(polling: Polling) -> None:
    stream, engine, _ = polling
    engine.sendall(chunk(chat_line("lo")) + chunk(done_line()))

    assert stream.poll() is None
    assert stream.source is None
    assert texts(next(stream))[0] == "lo"
    assert stream.finished
    with pytest.raises(StopIteration):
        next(stream)


def test_what_came_before_an_error_comes_first(polling: Polling) -> None:
    stream, engine, _ = polling
    engine.sendall(chunk(chat_line("lo")) + chunk(b'{"error":"boom"}\n'))

    assert stream.poll() is None
    assert texts(next(stream)) == ["lo"]
    with pytest.raises(BackendError, match="boom"):
        next(stream)


def test_an_error_alone_is_raised(polling: Polling) -> None:
    stream, engine, _ = polling
    engine.sendall(chunk(b'{"error":"boom"}\n'))

    with pytest.raises(BackendError, match="boom"):
        stream.poll()


def test_broken_framing_wakes_whoever_waits_for_more(polling: Polling) -> None:
    stream, engine, connection = polling
    engine.sendall(chunk(chat_line("lo")) + b"zz\r\n")

    assert texts(stream.poll()) == ["lo"]
    assert connection._below is not None
    assert connection._below.recv(1) == b""
    with pytest.raises(BackendError, match="cannot be read"):
        stream.poll()


@pytest.mark.parametrize("rest", [b"", b"5\r\nHel", b"0\r\n\r\n"])
def test_an_answer_that_ends_too_early_is_an_error(polling: Polling, rest: bytes) -> None:
    stream, engine, _ = polling
    engine.sendall(rest)
    engine.close()

    with pytest.raises(BackendError) as caught:
        while stream.poll() is not None:
            pass
        next(stream)

    assert caught.value.status == 502


def test_an_engine_that_stops_is_late_at_the_limit(polling: Polling) -> None:
    stream, _, connection = polling
    assert time.monotonic() + 4 < connection.due < time.monotonic() + 6
    connection.expire()

    with pytest.raises(BackendTimeout, match="STREAM_IDLE_TIMEOUT"):
        stream.poll()


def test_the_limit_is_extended_by_what_comes_and_not_by_framing(polling: Polling) -> None:
    stream, engine, connection = polling
    first = connection.due
    engine.sendall(b"5")
    stream.poll()
    assert connection.due == first
    engine.sendall(b"\r\n{}{}\n\r\n")
    with pytest.raises(BackendError):
        stream.poll()
    assert connection.due > first


def test_what_came_after_the_whole_time_is_not_lost() -> None:
    ours, engine = socket.socketpair()
    with ours, engine:
        stream, _, connection = open_stream(ours, engine, total=0)
        assert connection.due < time.monotonic()
        connection.expire()
        with pytest.raises(BackendTimeout, match="TOTAL_TIMEOUT"):
            stream.poll()
        connection.close()


def test_a_connection_in_the_pool_is_not_late_for_anything() -> None:
    ours, engine = socket.socketpair()
    pool = Pool("http://127.0.0.1:1", most_idle=1)
    with ours, engine:
        stream, _, connection = open_stream(ours, engine, keep=pool._keep)
        engine.sendall(chunk(done_line()) + b"0\r\n\r\n")
        assert stream.poll() is None
        assert connection.due < inf
        next(stream)
        stream.close()

        assert pool.idle() == [connection]
        assert connection.due == inf
        pool.close()
