"""The pool and its one retry: a head that drips, and a connection that was closed meanwhile."""

import contextlib
import socket
import threading
import time

import pytest
import responses

from tensoria.backends import adapter
from tensoria.backends.limits import Limits
from tensoria.backends.transport import Transport
from tensoria.errors import BackendError, BackendTimeout
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    Handler,
    answer_json,
    answer_raw,
    close,
    drip,
    reset,
    stream,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def warm(fake: FakeOllama, transport: Transport) -> Transport:
    """A transport with one pooled connection."""
    assert transport.json("GET", "/api/version", seconds=5)[0] == 200
    return transport


def post(transport: Transport, seconds: float = 5) -> bytes:
    with transport.open("/api/chat", {"a": 1}, Limits(seconds, 5)) as body:
        return body.read_all(1 << 20)


def test_a_head_that_drips_has_one_limit_for_all_of_it(
    fake: FakeOllama, transport: Transport
) -> None:
    """Each byte comes well within it; the whole head would take two seconds."""
    fake.script("/api/chat", drip(HEAD, 0.05))
    started = time.monotonic()
    with pytest.raises(BackendTimeout):
        post(transport, seconds=0.3)

    assert 0.25 < time.monotonic() - started < 1


def test_a_head_that_comes_byte_by_byte_in_time_is_read(
    fake: FakeOllama, transport: Transport
) -> None:
    fake.script("/api/chat", drip(HEAD, 0))

    assert post(transport) == b"{}"
    assert post(transport) == b"{}"
    assert fake.connections_opened == 1


@pytest.mark.parametrize("end", [close, reset])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_pooled_connection_that_ends_without_a_byte_costs_nobody_a_request(
    fake: FakeOllama, warm: Transport, end: Handler, method: str
) -> None:
    fake.script("/x", end, answer_json({"right": True}))

    assert warm.json(method, "/x", {"a": 1}, seconds=5) == (200, b'{"right":true}')
    first, second = fake.received("/x")
    assert (first.body, second.body) == (b'{"a":1}', b'{"a":1}')
    assert first.connection != second.connection


@pytest.mark.parametrize("end", [close, reset])
def test_a_request_is_repeated_once(fake: FakeOllama, warm: Transport, end: Handler) -> None:
    fake.script("/api/chat", end)
    with pytest.raises(BackendError) as caught:
        post(warm)

    assert caught.value.status == 502
    assert len(fake.received("/api/chat")) == 2


def test_a_request_on_a_new_connection_is_not_repeated(
    fake: FakeOllama, transport: Transport
) -> None:
    fake.script("/api/chat", close)
    with pytest.raises(BackendError):
        post(transport)

    assert len(fake.received("/api/chat")) == 1


@pytest.mark.parametrize("end", [close, reset])
def test_an_answer_that_has_begun_is_not_asked_for_again(
    fake: FakeOllama, warm: Transport, end: Handler
) -> None:
    def begin(exchange: Exchange) -> None:
        exchange.send_raw(b"H")
        end(exchange)

    fake.script("/api/chat", begin)
    with pytest.raises(BackendError):
        post(warm)

    assert len(fake.received("/api/chat")) == 1


def test_an_engine_that_ends_at_work_is_not_asked_again(
    fake: FakeOllama, warm: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt that brings it down would do so twice."""
    monkeypatch.setattr(adapter, "STALE_SECONDS", 0.05)

    def work(exchange: Exchange) -> None:
        exchange.pause(0.1)
        close(exchange)

    fake.script("/api/chat", work)
    with pytest.raises(BackendError):
        post(warm)

    assert len(fake.received("/api/chat")) == 1


def test_a_repeated_request_has_what_is_left_of_its_limit(
    fake: FakeOllama, warm: Transport
) -> None:
    def late(exchange: Exchange) -> None:
        exchange.pause(0.3)
        close(exchange)

    fake.script("/api/chat", late, drip(HEAD, 0.05))
    started = time.monotonic()
    with pytest.raises(BackendTimeout):
        post(warm, seconds=0.5)

    assert time.monotonic() - started < 0.75


def test_an_engine_that_is_gone_when_it_is_asked_again_broke_the_connection(
    fake: FakeOllama, warm: Transport
) -> None:
    """503 would say that it never had the request."""

    def go(exchange: Exchange) -> None:
        fake.stop_listening()
        close(exchange)

    fake.script("/api/chat", go)
    with pytest.raises(BackendError) as caught:
        post(warm)

    assert caught.value.status == 502


def test_what_a_busy_hour_opened_is_closed_in_a_quiet_one(
    fake: FakeOllama, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection a request, the one that nobody used for longest."""
    gates = [threading.Event() for _ in range(4)]
    fake.script("/api/chat", *[stream([gate, b"a"]) for gate in gates])
    threads = [threading.Thread(target=post, args=(transport,)) for _ in gates]
    for thread in threads:
        thread.start()
    fake.wait_for_request(count=4)
    for gate in gates:
        gate.set()
    for thread in threads:
        thread.join(5)
    assert fake.open_connections == 4

    monkeypatch.setattr(adapter, "IDLE_SECONDS", 0.0)
    for still_open in (3, 2, 1, 1):
        post(transport)
        fake.wait_for_connections(at_most=still_open)


def test_a_response_of_the_library_responses_is_read_as_any_other(transport: Transport) -> None:
    target = "tensoria.backends.adapter.EngineAdapter.send"
    with responses.RequestsMock(target=target) as engine:
        engine.get(f"{transport._base_url}/api/version", body=b'{"version":"1"}', status=418)

        assert transport.json("GET", "/api/version", seconds=5) == (418, b'{"version":"1"}')


@pytest.mark.parametrize("line_break", ["\r", "\n"])
def test_a_line_break_in_a_header_is_never_sent(fake: FakeOllama, line_break: str) -> None:
    transport = Transport(fake.url, concurrency=1, api_key=f"a{line_break}X-Other: b")
    with pytest.raises(BackendError):
        post(transport)

    assert fake.received("/api/chat") == []


@pytest.mark.parametrize("informational", [b"100 Continue", b"103 Early Hints\r\nLink: <a>"])
def test_what_comes_before_the_answer_is_passed_over(
    fake: FakeOllama, transport: Transport, informational: bytes
) -> None:
    fake.script("/api/chat", answer_raw(b"HTTP/1.1 " + informational + b"\r\n\r\n" + HEAD))

    assert post(transport) == b"{}"


def test_an_answer_that_never_begins_for_all_that_comes_before_it_is_502(
    fake: FakeOllama, transport: Transport
) -> None:
    fake.script("/api/chat", answer_raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000))
    with pytest.raises(BackendError) as caught:
        post(transport)

    assert caught.value.status == 502


def test_an_engine_that_answers_before_it_has_read_all_is_heard(fake: FakeOllama) -> None:
    """It does not want that much, says so, and closes."""
    said = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = Transport(f"http://127.0.0.1:{server.getsockname()[1]}", concurrency=1)
        asking = threading.Thread(target=_answer_early, args=(server, said))
        asking.start()
        with transport.open("/api/chat", {"a": "x" * 20_000_000}, Limits(5, 5)) as body:
            assert body.status == 413
        asking.join(5)


def _answer_early(server: socket.socket, said: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        # Closed on top of what was not read it would be reset, and the answer lost.
        connection.settimeout(5)
        while connection.recv(1 << 20):
            pass


def test_an_engine_that_reads_nothing_is_given_up(fake: FakeOllama) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = Transport(f"http://127.0.0.1:{server.getsockname()[1]}", concurrency=1)
        started = time.monotonic()
        with pytest.raises(BackendTimeout):
            transport.open("/api/chat", {"a": "x" * 20_000_000}, Limits(0.3, 5))

    assert 0.25 < time.monotonic() - started < 1.5


@pytest.mark.parametrize("ahead", [b"1;x=\r\na\r\n", b"0\r\nX-Trailer: 1\r\n"])
def test_an_engine_that_is_always_ahead_has_its_limit_too(
    fake: FakeOllama, transport: Transport, ahead: bytes
) -> None:
    """What it sends is never waited for, and is no payload in the end."""

    def flood(exchange: Exchange) -> None:
        exchange.send_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        exchange.send_raw(ahead)
        with contextlib.suppress(OSError):
            while True:
                exchange.send_raw(b"X-Trailer: 1\r\n" * 1000)

    fake.script("/api/chat", flood)
    with pytest.raises(BackendError):
        post(transport, seconds=0.3)
