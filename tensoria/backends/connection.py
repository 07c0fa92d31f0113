"""One connection to an engine: a request goes out in one piece, an answer comes in block by block.

requests, urllib3 and http.client spend three times what this costs on a request, and read one chunk
a call. What they do for a client of any server (proxies, redirects, cookies, compression) an engine
on a fixed address does not need.
"""

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

from tensoria.backends.sweeper import Sweeper

RECEIVE_BYTES = 64 * 1024


class Connection:
    """An open connection, used for one request at a time.

    Its waits have no timeout: the sweeper cuts the connection when `due` has passed, and whoever
    waits in `send` or `receive` then gets TimeoutError.
    """

    __slots__ = (
        "__weakref__",
        "_below",
        "_sock",
        "_sweeper",
        "_tls",
        "_wait",
        "due",
        "idle_since",
        "timed_out",
    )

    def __init__(self, sock: socket.socket, sweeper: Sweeper) -> None:
        self._sock = sock
        # Below gevent's socket is the plain one, non-blocking; below a stdlib's is nothing.
        self._below: socket.socket | None = getattr(sock, "_sock", None)
        self._tls = hasattr(sock, "cipher")
        self._wait = None if self._tls else _wait_of(sock)
        self._sweeper = sweeper
        self.due = inf
        self.timed_out = False
        self.idle_since = 0.0
        sweeper.watch(self)

    def __del__(self) -> None:
        """An answer that is dropped without a word must not leave its engine at work."""
        self._sock.close()

    def send(self, data: bytes, by: float) -> None:
        """Send all of it; TimeoutError when that is not done by that moment."""
        self.expect(by)
        try:
            sent = 0
            if self._below is not None and not self._tls:
                # gevent's sendall asks the kernel for the size of its buffer each time.
                with suppress(BlockingIOError):
                    sent = self._below.send(data)
            if sent < len(data):
                self._sock.sendall(memoryview(data)[sent:])
        except OSError as error:
            raise self._named(error) from error
        self.due = inf

    def receive(self, by: float) -> bytes:
        """Return what the next receive brings, b"" at the end of the connection.

        Raises TimeoutError when nothing came by that moment, OSError when the connection broke.
        """
        self.expect(by)
        try:
            data = self._receive()
        except OSError as error:
            raise self._named(error) from error
        self.due = inf
        if not data and self.timed_out:
            raise TimeoutError
        return data

    @property
    def source(self) -> int | None:
        """Return the descriptor that tells when `poll` has something; None where nothing does."""
        return None if self._below is None or self._tls else self._sock.fileno()

    def expect(self, by: float) -> None:
        """Have the sweeper cut the connection when what is waited for has not come by then."""
        self.due = by
        if by < self._sweeper.next_look:
            self._sweeper.look()

    def poll(self) -> bytes | None:
        """Return what has come, without waiting: None for nothing yet; else as `receive`."""
        assert self._below is not None  # noqa: S101  # says it to mypy; `source` told so
        try:
            data = self._below.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._named(error) from error
        if not data and self.timed_out:
            raise TimeoutError
        return data

    def rest(self, now: float) -> None:
        """Called when it goes back to the pool: nothing is waited for any more."""
        self.due = inf
        self.idle_since = now

    def receive_shortly(self, seconds: float) -> bytes:
        """Return what comes within a moment too short for the sweeper; may raise OSError."""
        self._sock.settimeout(seconds)
        data = self._sock.recv(RECEIVE_BYTES)
        self._sock.settimeout(None)
        return data

    def is_silent(self) -> bool:
        """Tell, without waiting, whether it is open and nothing unasked for has come."""
        try:
            if self._tls:
                return not select.select([self._sock], [], [], 0)[0]
            below = self._sock if self._below is None else self._below
            below.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except (OSError, ValueError):
            return False
        return False

    def expire(self) -> None:
        """Called by the sweeper: what is waited for is late."""
        self.timed_out = True
        self.cut()

    def cut(self) -> None:
        """End it from another thread: whoever waits there is woken up, as by the engine's end."""
        # The socket's own method: an SSLSocket's would first forget that it is one.
        with suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self._sweeper.forget(self)
        self._sock.close()

    def _receive(self) -> bytes:
        """gevent's recv tries before it waits: mostly in vain, for an exception each time."""
        if self._wait is None or self._below is None:
            return self._sock.recv(RECEIVE_BYTES)
        self._wait()
        try:
            return self._below.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return self._sock.recv(RECEIVE_BYTES)

    def _named(self, error: OSError) -> OSError:
        return TimeoutError() if self.timed_out else error


def _wait_of(sock: Any) -> Callable[[], object] | None:
    """Return what waits until a socket of gevent's can be read; None for any other.

    Neither name is in gevent's documentation: without them its own recv does.
    """
    wait, readable = getattr(sock, "_wait", None), getattr(sock, "_read_event", None)
    return partial(wait, readable) if wait and readable else None
