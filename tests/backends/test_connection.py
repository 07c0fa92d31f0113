"""The lean connection: what it sends in one piece, and what it thinks of a pooled socket."""

import socket
from collections.abc import Iterator

import pytest

from tensoria.backends.connection import EngineConnection


class NonBlocking:
    """A socket as gevent makes them: the plain, non-blocking one is below."""

    def __init__(self, plain: socket.socket) -> None:
        plain.setblocking(False)
        self._sock = plain


@pytest.fixture
def pair() -> Iterator[tuple[EngineConnection, socket.socket]]:
    ours, theirs = socket.socketpair()
    connection = EngineConnection("engine")
    connection.sock = NonBlocking(ours)  # type: ignore[assignment]
    with ours, theirs:
        yield connection, theirs


Pair = tuple[EngineConnection, socket.socket]


def test_a_silent_connection_can_be_used(pair: Pair) -> None:
    assert pair[0].is_connected


def test_a_connection_that_was_closed_cannot(pair: Pair) -> None:
    pair[1].close()

    assert not pair[0].is_connected


def test_a_connection_with_bytes_that_nobody_asked_for_cannot(pair: Pair) -> None:
    pair[1].sendall(b"HTTP/1.1 408 Request Timeout\r\n")

    assert not pair[0].is_connected


def test_a_connection_that_was_never_opened_cannot() -> None:
    assert not EngineConnection("engine").is_connected


def test_a_socket_that_is_gone_cannot_be_used(pair: Pair) -> None:
    pair[0].sock._sock.close()  # type: ignore[union-attr]

    assert not pair[0].is_connected


class Sends:
    """A socket that notes each send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def settimeout(self, seconds: float) -> None:
        """Nothing waits here."""


@pytest.mark.parametrize(
    ("method", "body", "end"),
    [
        ("POST", b'{"a":1}', b'\r\n\r\n{"a":1}'),
        ("GET", None, b"\r\n\r\n"),
        ("POST", b"", b"\r\n\r\n"),
    ],
)
def test_head_and_body_leave_in_one_send(method: str, body: bytes | None, end: bytes) -> None:
    connection = EngineConnection("engine")
    sends = Sends()
    connection.sock = sends  # type: ignore[assignment]
    connection.request(method, "/api/chat", body, headers={"Content-Length": "7"})

    assert len(sends.sent) == 1
    assert sends.sent[0].startswith(f"{method} /api/chat HTTP/1.1\r\n".encode())
    assert sends.sent[0].endswith(end)
