"""An answer that has not begun: a head that drips, and a connection that was closed meanwhile."""

import time

import pytest

from tensoria.backends import connection
from tensoria.backends.limits import Limits
from tensoria.backends.transport import Transport
from tensoria.errors import BackendError, BackendTimeout
from tests.fake_ollama import Exchange, FakeOllama, Handler, answer_json, close, drip, reset

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
    monkeypatch.setattr(connection, "STALE_SECONDS", 0.05)

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


def test_the_body_of_a_request_is_not_kept_with_its_connection(
    fake: FakeOllama, warm: Transport
) -> None:
    post(warm)
    pool = warm._adapter.get_connection_with_tls_context(None)  # type: ignore[attr-defined]

    assert [pooled._asked for pooled in pool.pool.queue if pooled] == [None]
