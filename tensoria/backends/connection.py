"""urllib3's connection with fewer system calls, for an engine over plain HTTP.

A fifth of what a short request costs went into asking the poller whether a pooled connection is
still open, and into sending head and body apart.
"""

import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection


class EngineConnection(HTTPConnection):
    """Looks by one peek, and sends head and body in one piece."""

    _head: bytes | None = None

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
        self._head = b"" if isinstance(body, bytes) and body else None
        super().request(method, url, body, *args, **options)

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
