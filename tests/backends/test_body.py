"""One answer's body: whole, cut, slow, endless, and what becomes of its connection."""

import time
from collections.abc import Callable

import pytest

from tensoria.backends.body import Body
from tensoria.backends.limits import Limits
from tensoria.backends.transport import Transport
from tensoria.errors import BackendError, BackendTimeout
from tests.fake_ollama import Exchange, FakeOllama, Handler, answer_raw, close, hang, reset, stream

Open = Callable[..., Body]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def open_body(fake: FakeOllama, transport: Transport) -> Open:
    """Ask the fake, which answers by this handler."""

    def open_(handler: Handler, *, first: float = 5, idle: float = 5) -> Body:
        fake.script("/api/chat", handler)
        return transport.open("/api/chat", {"a": 1}, Limits(first, idle))

    return open_


def read_to_end(body: Body) -> bytes:
    with body:
        return body.read_all(1 << 30)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (CHUNKED + b"5\r\nHello\r\n0\r\n\r\n", b"Hello"),
        (CHUNKED + b"0\r\n\r\n", b""),
        (CHUNKED + b"5;x=y\r\nHello\r\n0\r\nX-Trailer: 1\r\n\r\n", b"Hello"),
        (HEAD + b"Content-Length: 5\r\n\r\nHello", b"Hello"),
        (HEAD + b"Content-Length: 0\r\n\r\n", b""),
        (HEAD + b"\r\nHello", b"Hello"),
        (
            HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            b"a",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nHello", b"Hello"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_a_whole_body_is_read_to_its_end(open_body: Open, raw: bytes, expected: bytes) -> None:
    assert read_to_end(open_body(answer_raw(raw))) == expected


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED,
        CHUNKED + b"5\r\nHel",
        CHUNKED + b"5\r\nHello\r\n",
        CHUNKED + b"5\r\nHello\r\n0\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"5\r\nHelloXX\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 6\r\n\r\nHello",
        HEAD + b"Content-Length: 6\r\n\r\n",
    ],
)
def test_a_cut_or_broken_body_is_a_502(open_body: Open, raw: bytes) -> None:
    with pytest.raises(BackendError) as caught:
        read_to_end(open_body(answer_raw(raw)))

    assert caught.value.status == 502


def test_a_reset_in_the_middle_is_a_502(open_body: Open) -> None:
    with pytest.raises(BackendError) as caught:
        read_to_end(open_body(stream([b"Hel", reset])))

    assert caught.value.status == 502


def test_a_body_of_three_megabytes_in_one_chunk_is_whole(open_body: Open) -> None:
    data = bytes(range(256)) * 12_000

    assert read_to_end(open_body(stream([data]))) == data


def test_a_body_over_the_limit_of_the_caller_is_refused(open_body: Open) -> None:
    with open_body(stream([b"x" * 1000])) as body, pytest.raises(BackendError, match="too long"):
        body.read_all(999)


def test_one_read_takes_what_one_receive_brought(open_body: Open) -> None:
    """Five lines in five chunks of one packet are one block, not five."""
    chunks = b"".join(b"2\r\n%d\n\r\n" % number for number in range(5))

    with open_body(answer_raw(CHUNKED + chunks + b"0\r\n\r\n")) as body:
        assert body.read() == b"0\n1\n2\n3\n4\n"


def drip(data: bytes, every: float) -> Handler:
    """Send a byte now and then, for ever: the last ones again and again."""

    def handle(exchange: Exchange) -> None:
        exchange.send_raw(CHUNKED)
        while True:
            for byte in data:
                exchange.pause(every)
                exchange.send_raw(bytes([byte]))

    return handle


def seconds_until_timeout(body: Body) -> float:
    started = time.monotonic()
    with body, pytest.raises(BackendTimeout):
        body.read_all(1 << 30)
    return time.monotonic() - started


def test_silence_ends_at_the_deadline(open_body: Open) -> None:
    assert 0.2 < seconds_until_timeout(open_body(stream([hang]), first=0.3)) < 1


@pytest.mark.parametrize("data", [b"1\r\na\r\n", b"0"], ids=["text", "framing"])
def test_a_byte_now_and_then_does_not_move_the_deadline(open_body: Open, data: bytes) -> None:
    assert seconds_until_timeout(open_body(drip(data, 0.1), first=0.4)) < 1


def test_once_it_flows_only_the_pause_between_receives_counts(open_body: Open) -> None:
    body = open_body(stream([b"a", pause(0.3), b"b", pause(0.3), b"c"]), first=0.5, idle=5)

    with body:
        assert body.read() == b"a"
        body.flowing()
        assert body.read() + body.read() == b"bc"


def pause(seconds: float) -> Handler:
    return lambda exchange: exchange.pause(seconds)


def test_a_pause_over_the_idle_limit_is_a_timeout(open_body: Open) -> None:
    with open_body(stream([b"a", hang]), first=5, idle=0.2) as body:
        body.read()
        body.flowing()
        started = time.monotonic()
        with pytest.raises(BackendTimeout):
            body.read()

    assert time.monotonic() - started < 1


def answer_and_close_later(*steps: bytes) -> Handler:
    """An engine that asks to close after this answer, as HTTP/1.0 and some proxies do."""

    def handle(exchange: Exchange) -> None:
        exchange.send_raw(HEAD + b"Connection: close\r\n\r\n")
        for step in steps:
            exchange.send_raw(step)
        hang(exchange)

    return handle


def test_limits_hold_for_an_engine_that_closes_after_its_answer(open_body: Open) -> None:
    with open_body(answer_and_close_later(b"a"), first=3, idle=0.2) as body:
        assert body.read() == b"a"
        body.flowing()
        started = time.monotonic()
        with pytest.raises(BackendTimeout):
            body.read()

    assert time.monotonic() - started < 1


def test_the_deadline_holds_for_an_engine_that_closes_after_its_answer(open_body: Open) -> None:
    assert seconds_until_timeout(open_body(answer_and_close_later(), first=0.3)) < 1


def test_closing_an_unfinished_body_tells_the_engine(fake: FakeOllama, open_body: Open) -> None:
    body = open_body(stream([b"a", hang]))
    body.read()
    body.close()

    fake.wait_for_disconnect(timeout=2)


def test_closing_before_anything_was_read_tells_the_engine(
    fake: FakeOllama, open_body: Open
) -> None:
    open_body(stream([hang])).close()

    fake.wait_for_disconnect(timeout=2)


def test_closing_twice_is_closing_once(fake: FakeOllama, open_body: Open) -> None:
    """The second call must not give a connection back that another request has by now."""
    first = open_body(stream([b"a"]))
    read_to_end(first)
    second = open_body(stream([b"b", b"c"]))
    first.close()

    assert read_to_end(second) == b"bc"
    assert fake.connections_opened == 1


def test_the_end_of_the_framing_is_waited_for_shortly(fake: FakeOllama, open_body: Open) -> None:
    """Go sends the closing chunk in a packet of its own."""
    body = open_body(stream([b"last line\n", pause(0.01)]))
    body.read()
    body.flowing()
    body.close(drain=True)
    read_to_end(open_body(stream([b"a"])))

    assert fake.connections_opened == 1


def test_the_end_of_the_framing_is_not_waited_for_longer(fake: FakeOllama, open_body: Open) -> None:
    body = open_body(stream([b"last line\n", hang]))
    body.read()
    body.flowing()
    started = time.monotonic()
    body.close(drain=True)

    assert time.monotonic() - started < 0.5
    fake.wait_for_disconnect(timeout=2)


@pytest.mark.parametrize("behind", [b"HTTP/1.1 200 OK\r\n", b"x"])
def test_a_connection_with_bytes_behind_the_answer_is_not_used_again(
    fake: FakeOllama, open_body: Open, behind: bytes
) -> None:

    def too_much(exchange: Exchange) -> None:
        exchange.mark_answered(complete=True)
        exchange.send_raw(CHUNKED + b"1\r\na\r\n0\r\n\r\n" + behind)

    assert read_to_end(open_body(too_much)) == b"a"
    assert read_to_end(open_body(stream([b"b"]))) == b"b"
    assert fake.connections_opened == 2


def test_a_connection_whose_body_was_cut_is_not_used_again(
    fake: FakeOllama, open_body: Open
) -> None:
    with pytest.raises(BackendError):
        read_to_end(open_body(stream([b"a", close])))

    assert read_to_end(open_body(stream([b"b"]))) == b"b"
    assert fake.connections_opened == 2
