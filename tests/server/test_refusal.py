"""Answers to what is no HTTP; over a real worker in tests/e2e/test_hostile.py."""

import socket
import threading
import time
from typing import Any

import orjson
import pytest
from gevent import socket as gevent_socket
from gunicorn import util

from tensoria.server.refusal import LINGER_SECONDS, write_refusal

CANARY = "canary7f3"


def answered(status: int, reason: str = "Bad Request") -> tuple[str, Any]:
    """Return the status line and the body that a client reads which hangs up then."""
    ours, theirs = socket.socketpair()
    with gevent_socket.socket(fileno=ours.detach()) as sock, theirs:
        theirs.shutdown(socket.SHUT_WR)
        write_refusal(sock, status, reason, CANARY)
        head, _, body = theirs.recv(65536).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert "Content-Type: application/json" in lines
    assert f"Content-Length: {len(body)}" in lines
    assert CANARY.encode() not in body
    return lines[0], orjson.loads(body)["error"]


@pytest.mark.parametrize(("status", "told"), [(400, 400), (431, 431), (501, 400)])
def test_fault_of_the_client_is_4xx_in_the_envelope(status: int, told: int) -> None:
    line, error = answered(status)
    assert line == f"HTTP/1.1 {told} Bad Request"
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_request")
    assert error["param"] is None


def test_fault_of_ours_is_500_in_the_envelope() -> None:
    line, error = answered(500, "Internal Server Error")
    assert line == "HTTP/1.1 500 Internal Server Error"
    assert (error["type"], error["code"]) == ("server_error", "internal_error")


def test_client_that_neither_reads_nor_leaves_is_left() -> None:
    ours, theirs = socket.socketpair()
    with gevent_socket.socket(fileno=ours.detach()) as sock, theirs:
        started = time.monotonic()
        write_refusal(sock, 400, "Bad Request", "")
        assert time.monotonic() - started < LINGER_SECONDS + 5


def test_what_is_still_sent_does_not_cost_the_client_its_answer() -> None:
    """A connection that is closed with unread bytes in it is reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), timeout=10)
        accepted, _ = listener.accept()
    with theirs:
        sender = threading.Thread(target=_send_all, args=(theirs,))
        sender.start()
        with gevent_socket.socket(fileno=accepted.detach()) as sock:
            write_refusal(sock, 414, "URI Too Long", "")
        sender.join()
        assert theirs.recv(65536).startswith(b"HTTP/1.1 414 URI Too Long")


def _send_all(sock: socket.socket) -> None:
    sock.sendall(b"a" * 500_000)
    sock.shutdown(socket.SHUT_WR)


def test_gunicorn_has_what_is_replaced() -> None:
    """Its name stands in `TensoriaWorker.load_wsgi`; a release without it would answer in HTML."""
    assert callable(util.write_error)
