"""requests' adapter for one engine: it has the pool, and the one retry.

Everything above sees `requests`; what is below is smaller and faster than urllib3 (`connection`).
geventhttpclient, a library with a parser in C, was measured in its place: alike for whole answers,
a quarter dearer for streams. It lives on gevent's sockets alone, so neither under another server
nor in a test with threads; it looks a name up for each connection, has no limit for a whole head,
and leaves the retry to its caller.
"""

import time
import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tensoria.backends.address import Address
from tensoria.backends.answer import Answer, Replayed, Unanswered
from tensoria.backends.connection import Connection
from tensoria.backends.ending import current
from tensoria.backends.sweeper import Sweeper

# A connection that the engine had closed tells it within a round trip. One that ends later had
# its request worked on.
STALE_SECONDS = 1.0
# What a busy hour has opened is not kept for the rest of the day.
IDLE_SECONDS = 60.0


class EngineResponse(requests.Response):
    """requests' response with what is read of one; the rest costs as much as the sending."""

    def __init__(self, status: int, answer: Any, request: requests.PreparedRequest) -> None:
        self.status_code = status
        self.raw = answer
        self.request = request


class EngineAdapter(HTTPAdapter):
    """Sends to one address; as every adapter of requests, it may be used by many threads.

    A pooled connection may be closed in the moment between the look and the send. When it ends at
    once and without a byte of an answer, the request is sent once more, on a new connection.

    HTTP forbids that for a POST unless the client knows that repeating does no harm (RFC 9110,
    9.2.2). Here it is known: what is asked of an engine by POST leaves nothing behind that a
    second one would double, and nothing of the first was passed on. At worst the engine computes
    an answer twice. It is not repeated on a connection that was new, nor when the end came late:
    the engine was at work then, and a prompt that brings it down would do so twice.
    """

    def __init__(self, base_url: str, *, most_idle: int) -> None:
        super().__init__()
        self._address = Address(base_url)
        self._most_idle = most_idle
        self._sweeper = Sweeper()
        # The one used last is taken first.
        self._idle: deque[Connection] = deque()
        # As urllib3's pools do: a pool that nobody has any more leaves no open sockets behind.
        self._closing = weakref.finalize(self, _close, self._idle)

    def send(  # type: ignore[override]  # `timeout` is always the pair
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: tuple[float, float] = (60.0, 60.0),
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return the response once its head has come; `raw` is an `Answer`.

        `timeout` has the seconds to connect, and those from now until the head is whole.
        """
        asked_at = time.monotonic()
        by = asked_at + timeout[1]
        data = self._to_bytes(request)
        pooled = self._take()
        if pooled is not None:
            try:
                return self.build_response(request, self._ask(pooled, data, by))
            except Unanswered as unanswered:
                if time.monotonic() - asked_at > STALE_SECONDS:
                    raise
                gone = unanswered
        try:
            connection = Connection(self._address.connect(timeout[0]), self._sweeper)
        except requests.ConnectionError:
            if pooled is None:
                raise
            # "Cannot be reached" would say that the engine never had the request.
            raise gone from None
        return self.build_response(request, self._ask(connection, data, by))

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return what `send` returns; the library `responses` calls it with one of urllib3's."""
        if isinstance(resp, Answer):
            return EngineResponse(resp.status, resp, req)
        response = super().build_response(req, resp)
        response.raw = Replayed(resp)
        return response

    def close(self) -> None:
        """Close what is pooled."""
        _close(self._idle)

    def _ask(self, connection: Connection, data: bytes, by: float) -> Answer:
        current().hold(connection)
        try:
            # An engine that does not want the whole request may have said so before it closed.
            with suppress(ConnectionError):
                connection.send(data, by)
            return Answer.of(connection, by, self._keep)
        except BaseException:
            connection.close()
            raise

    def _take(self) -> Connection | None:
        """Return a pooled connection that is still open."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_silent():
                return connection
            connection.close()
        return None

    def _keep(self, connection: Connection) -> None:
        now = time.monotonic()
        connection.rest(now)
        if len(self._idle) >= self._most_idle:
            connection.close()
            return
        self._idle.append(connection)
        if now - self._idle[0].idle_since > IDLE_SECONDS:
            self._idle.popleft().close()

    def _to_bytes(self, request: requests.PreparedRequest) -> bytes:
        path = str(request.url).removeprefix(self._address.origin)
        lines = [f"{request.method} {path} HTTP/1.1\r\nHost: {self._address.host_header}\r\n"]
        headers: Mapping[str, str] = request.headers  # type: ignore[assignment]  # never bytes here
        for name, value in headers.items():
            if "\r" in value or "\n" in value:
                raise requests.exceptions.InvalidHeader("a line break in a header")
            lines.append(f"{name}: {value}\r\n")
        # A variable that is not UTF-8 comes from the environment with surrogates in it.
        head = "".join([*lines, "\r\n"]).encode(errors="surrogateescape")
        body: bytes = request.body or b""  # type: ignore[assignment]  # never text here
        return head + body


def _close(idle: deque[Connection]) -> None:
    while idle:
        idle.pop().close()
