"""What gunicorn cannot read as HTTP: refused before the app sees it, in the one envelope."""

import socket
from contextlib import suppress
from typing import Any

import gevent
import orjson
from gunicorn import util

from tensoria.errors import InternalError, RequestError, TensoriaError

# For what the client is still sending: closed on top of it, the connection would be reset, and the
# answer lost with it.
LINGER_SECONDS = 1.0
_NOT_IMPLEMENTED = 501


def write_refusal(sock: Any, status: int, reason: str, _message: str) -> None:
    """Answer in place of gunicorn's `util.write_error`, which writes HTML and quotes the request.

    An unknown transfer coding, for it a 501, is a 400: the client is at fault, and SDKs repeat what
    is 5xx.
    """
    if status == _NOT_IMPLEMENTED:
        status = 400
    util.write_nonblock(sock, _answer(status, reason, _error(status, reason)))
    with suppress(OSError), gevent.Timeout(LINGER_SECONDS, False):
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def _error(status: int, reason: str) -> TensoriaError:
    if status < InternalError.status:
        return RequestError(f"The service cannot read this as an HTTP request: {reason}.")
    return InternalError("Something went wrong inside the service; its log names the place.")


def _answer(status: int, reason: str, error: TensoriaError) -> bytes:
    body = orjson.dumps(error.envelope())
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
