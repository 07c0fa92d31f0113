"""urllib3's connection with fewer system calls, for an engine over plain HTTP.

A fifth of what a short request costs went into asking the poller whether a pooled connection is
still open, and into sending head and body apart.
"""

import socket
import time
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from tensoria.backends.head import Head, Unanswered

# A connection that the engine had closed tells it within a round trip. One that ends later had
# its request worked on.
STALE_SECONDS = 1.0


_Asked = tuple[tuple[Any, ...], dict[str, Any]]


class EngineConnection(HTTPConnection):
    """Looks by one peek, sends head and body in one piece, and survives an engine's restart.

    A pooled connection may be closed in the moment between the look and the send. When it ends at
    once and without a byte of an answer, the request is sent once more, on a new connection.

    HTTP forbids that for a POST unless the client knows that repeating does no harm (RFC 9110,
    9.2.2). Here it is known: what is asked of an engine by POST leaves nothing behind that a
    second one would double, and nothing of the first was passed on. At worst the engine computes
    an answer twice. It is not repeated on a connection that was new, nor when the end came late:
    the engine was at work then, and a prompt that brings it down would do so twice.
    """

    _head: bytes | None = None
    _asked: _Asked | None = None
    _asked_at = 0.0
    _reused = False
    _connect_seconds: Any = None

    @property
    def is_connected(self) -> bool:
        """Tell whether a pooled connection can be used: open, and nothing unasked for in it."""
        below = getattr(self.sock, "_sock", None)
        if below is None:
            return bool(super().is_connected)
        # gevent's sockets are non-blocking below, so this returns at once; a plain socket with a
        # timeout would first wait for as long as that.
        try:
            below.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def request(self, method: str, url: str, body: Any = None, *args: Any, **options: Any) -> None:
        """Send a request; a head is held back for the body that follows it."""
        self._asked = (method, url, body, *args), options
        self._asked_at = time.monotonic()
        self._connect_seconds = self.timeout
        self._reused = self.sock is not None
        self._head = b"" if isinstance(body, bytes) and body else None
        super().request(method, url, body, *args, **options)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
        """Return the answer once its head has come, within `timeout` of the call of `request`."""
        seconds: Any = self.timeout
        # Not kept: it holds the request's body, and the connection may lie in the pool for hours.
        asked, self._asked = self._asked, None
        self.response_class = partial(  # type: ignore[assignment]  # http.client only calls it
            Head, deadline=self._asked_at + seconds
        )
        try:
            return super().getresponse()
        except Unanswered as unanswered:
            late = time.monotonic() - self._asked_at > STALE_SECONDS
            if late or not self._reused or asked is None:
                raise
            try:
                self._ask_again(asked, seconds)
            except HTTPError:
                # "Cannot be reached" would say that the engine never had the request.
                raise unanswered from None
            self._asked = None
            return super().getresponse()

    def close(self) -> None:
        """Close the socket; the connection may be opened anew."""
        self._asked = None
        super().close()

    def _ask_again(self, asked: _Asked, read_seconds: Any) -> None:
        """Send the same request on a new connection, with the limits of the first."""
        words, options = asked
        self.close()
        self.timeout = self._connect_seconds
        self.request(*words, **options)
        self.timeout = read_seconds

    def send(self, data: Any) -> None:
        """Called by http.client for the head, and by urllib3 for the body."""
        if self._head is None:
            super().send(data)
        elif not self._head:
            self._head = data
        else:
            held, self._head = self._head, None
            super().send(held + data)


class EnginePool(HTTPConnectionPool):
    """A pool of such connections."""

    ConnectionCls = EngineConnection


class EngineAdapter(HTTPAdapter):
    """requests' adapter for one address: its pool is found once, and cookies are not looked for.

    TLS goes through urllib3's own connections.
    """

    _pool: HTTPConnectionPool | None = None

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Called by HTTPAdapter's own initialisation."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": EnginePool,
            "https": HTTPSConnectionPool,
        }

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> HTTPConnectionPool:
        """Called by `send` for each request, always with the same address."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **options)
        return self._pool

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Called by `send`: only what `Body` reads of a response is filled in."""
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        response.request = req
        return response
