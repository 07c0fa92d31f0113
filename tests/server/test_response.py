"""gunicorn's response in one send: every framing, and readers slower than we are."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from gevent import socket as gevent_socket

from tensoria.server.log import Logger
from tensoria.server.response import OneSendResponse


@dataclass
class Counting:
    """A socket below gevent's that counts its sends and takes so many bytes each time."""

    plain: socket.socket
    at_most: int | None = None
    sends: list[int] = field(default_factory=list)

    def send(self, data: bytes) -> int:
        if self.at_most == 0:
            raise BlockingIOError
        sent = self.plain.send(data[: self.at_most])
        self.sends.append(sent)
        return sent


class Wrapped:
    """What gunicorn calls a socket: the plain one below, and a `send` that waits."""

    def __init__(self, plain: socket.socket, at_most: int | None) -> None:
        self._plain = plain
        self._sock = Counting(plain, at_most)

    def send(self, data: bytes) -> int:
        return self._plain.send(data)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def respond(
    ours: socket.socket,
    *body: bytes,
    headers: list[tuple[str, str]] | None = None,
    method: str = "GET",
    version: tuple[int, int] = (1, 1),
    status: str = "200 OK",
    at_most: int | None = None,
    is_ssl: bool = False,
) -> list[int]:
    """Answer a request and hang up; returns the size of each first send."""
    request = SimpleNamespace(method=method, version=version, should_close=lambda: False)
    config = SimpleNamespace(sendfile=False, is_ssl=is_ssl)
    sock = Wrapped(ours, at_most)
    response = OneSendResponse(request, sock, config)
    response.start_response(status, headers or [])
    for part in body:
        response.write(part)
    response.close()
    ours.shutdown(socket.SHUT_WR)
    return sock._sock.sends


def read(theirs: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while received := theirs.recv(65536):
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def test_with_tls_nothing_goes_round_it(pair: tuple[socket.socket, socket.socket]) -> None:
    """The socket below is the one that would send in clear text."""
    ours, theirs = pair

    assert respond(ours, b"hello", headers=[("Content-Length", "5")], is_ssl=True) == []
    assert read(theirs)[1] == b"hello"


Pair = tuple[socket.socket, socket.socket]


def test_head_and_body_of_a_known_length_leave_in_one_send(pair: Pair) -> None:
    sends = respond(pair[0], b"Hello", headers=[("Content-Length", "5")])
    head, body = read(pair[1])

    assert len(sends) == 1
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 5" in head
    assert body == b"Hello"


def test_chunks_are_framed_and_ended(pair: Pair) -> None:
    sends = respond(pair[0], b"Hello", b"", b" you")
    head, body = read(pair[1])

    assert b"Transfer-Encoding: chunked" in head
    assert body == b"5\r\nHello\r\n4\r\n you\r\n0\r\n\r\n"
    assert len(sends) == 3


def test_an_answer_of_no_chunks_is_ended_all_the_same(pair: Pair) -> None:
    sends = respond(pair[0])

    assert read(pair[1])[1] == b"0\r\n\r\n"
    assert len(sends) == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_that_has_no_body_is_a_head(pair: Pair, status: str) -> None:
    respond(pair[0], status=status)
    head, body = read(pair[1])

    assert head.startswith(f"HTTP/1.1 {status}\r\n".encode())
    assert body == b""
    assert b"chunked" not in head


def test_head_has_the_length_and_no_body(pair: Pair) -> None:
    respond(pair[0], headers=[("Content-Length", "5")], method="HEAD")
    head, body = read(pair[1])

    assert b"Content-Length: 5" in head
    assert body == b""


def test_an_empty_body_of_known_length(pair: Pair) -> None:
    respond(pair[0], b"", headers=[("Content-Length", "0")])
    head, body = read(pair[1])

    assert head.count(b"HTTP/1.1") == 1
    assert body == b""


def test_an_old_client_gets_no_chunks(pair: Pair) -> None:
    respond(pair[0], b"Hel", b"lo", version=(1, 0))
    head, body = read(pair[1])

    assert b"chunked" not in head
    assert b"Connection: close" in head
    assert body == b"Hello"


@pytest.mark.parametrize("at_most", [0, 1, 50])
def test_what_the_socket_does_not_take_at_once_follows(pair: Pair, at_most: int) -> None:
    respond(pair[0], b"Hello" * 100, headers=[("Content-Length", "500")], at_most=at_most)
    head, body = read(pair[1])

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"Hello" * 100


def test_a_slow_reader_gets_more_than_the_buffer_holds_byte_for_byte() -> None:
    """On gevent's own socket, whose `send` gives way until the reader has read."""
    data = bytes(range(256)) * 20_000
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    got: list[tuple[bytes, bytes]] = []
    reader = threading.Thread(target=lambda: got.append(read(theirs)))
    with theirs, gevent_socket.socket(fileno=accepted.detach()) as ours:
        threading.Timer(0.1, reader.start).start()
        _respond_on(ours, data)
        reader.join(10)

    assert got[0][1] == data


def _respond_on(ours: Any, data: bytes) -> None:
    request = SimpleNamespace(method="GET", version=(1, 1), should_close=lambda: False)
    response = OneSendResponse(request, ours, SimpleNamespace(sendfile=False, is_ssl=False))
    response.start_response("200 OK", [("Content-Length", str(len(data)))])
    response.write(data)
    response.close()
    ours.shutdown(socket.SHUT_WR)


def test_gunicorns_own_access_log_stays_off() -> None:
    """It would quote paths with their query, and write a second line for each request."""
    assert Logger.access_log_enabled is False
