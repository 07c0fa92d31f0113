"""The answer to a request that is no proper HTTP: OpenAI's envelope, where gunicorn has HTML."""

from typing import Any

import orjson
from gunicorn import util


def write_error(sock: Any, status: int, reason: str, _: str) -> None:
    """Answer and say no more than the reason: gunicorn's words quote the request."""
    theirs = status < 500
    error = {
        "message": f"{reason}: this is not an HTTP request that can be read."
        if theirs
        else "Something went wrong inside the service; its log names the place.",
        "type": "invalid_request_error" if theirs else "server_error",
        "param": None,
        "code": "bad_http_request" if theirs else "internal_error",
    }
    body = orjson.dumps({"error": error})
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode("latin-1") + body)
