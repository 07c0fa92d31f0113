"""One request that the fake received, and the means to answer it byte by byte.

| state | how it is entered | what `ReceivedRequest` shows |
| --- | --- | --- |
| being answered | the request was read | neither event is set |
| answered | its last byte is about to be sent, or the fake hangs up of its own will | `over` soon |
| left | the client closed or reset the connection before that | `disconnected`, then `over` |
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, NoReturn

CLOSING_CHUNK = b"0\r\n\r\n"
JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"

# A handler that waits for a test's event looks this often whether its client is still there.
_LOOK_SECONDS = 0.005
# l_onoff=1, l_linger=0: closing such a socket sends RST in place of FIN.
_LINGER_NOT = struct.pack("ii", 1, 0)


class ExchangeOver(Exception):
    """Unwinds a handler: the client left, the connection was ended, or the fake is stopping."""


@dataclass(slots=True)
class ReceivedRequest:
    """What the fake received. Header names are in lower case; times are `time.monotonic()`."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    connection: int
    received_at: float = field(default_factory=time.monotonic)
    left_at: float | None = None
    disconnected: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        """The body as JSON; ValueError when it is none."""
        return json.loads(self.body)


class Exchange:
    """The fake's side of one request. What sends or waits raises ExchangeOver when it cannot."""

    def __init__(
        self, sock: socket.socket, request: ReceivedRequest, changed: Callable[[], None]
    ) -> None:
        self.request = request
        self._socket = sock
        self._changed = changed
        self._lock = threading.Lock()
        self._answered = False
        self._chunked = False
        self._complete = False
        self._ended = False
        self._unwind = threading.Event()

    @property
    def answered(self) -> bool:
        """Whether the fake has nothing more to say, so that the client may leave."""
        return self._answered

    @property
    def chunked(self) -> bool:
        """Whether the headers that were sent promise HTTP chunks."""
        return self._chunked

    @property
    def keeps_alive(self) -> bool:
        """Whether the answer is complete, so that the connection can carry another request."""
        wish = self.request.headers.get("connection", "").lower()
        return self._complete and wish != "close"

    def send_head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the status line and the headers in their order; they decide how a body is framed."""
        headers = list(headers)
        self._chunked = ("transfer-encoding", "chunked") in [
            (name.lower(), value.lower()) for name, value in headers
        ]
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.send_raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def frame(self, data: bytes) -> bytes:
        """Return bytes of a body as they go on the wire: as an HTTP chunk, or as they are."""
        return b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data

    def send(self, data: bytes) -> None:
        """Send a piece of the body as one HTTP chunk and one send. No bytes: nothing is sent."""
        # An empty chunk would be the closing one; the answer to HEAD has no body at all.
        if data and self.request.method != "HEAD":
            self.send_raw(self.frame(data))

    def end(self) -> None:
        """End the body, with the closing chunk in a send of its own, as Go does."""
        self.mark_answered(complete=True)
        if self._chunked and self.request.method != "HEAD":
            self.send_raw(CLOSING_CHUNK)

    def answer(
        self,
        status: int,
        body: bytes,
        content_type: str = JSON,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Send a whole answer with Content-Length, its headers in the order that Ollama uses."""
        typed = [("Content-Type", content_type)] if content_type else []
        dated = [("Date", formatdate(usegmt=True)), ("Content-Length", str(len(body)))]
        self.send_head(status, [*headers, *typed, *dated])
        self.mark_answered(complete=True)
        self.send(body)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are, in one send."""
        try:
            self._socket.sendall(data)
        except OSError as exc:
            self.client_left()
            raise ExchangeOver from exc

    def close(self) -> NoReturn:
        """End the connection with FIN, whatever was promised."""
        self.hang_up()
        raise ExchangeOver

    def reset(self) -> NoReturn:
        """End the connection with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        # Only the reader's half: FIN must not go out. The connection's thread wakes and closes.
        self._shut(socket.SHUT_RD)
        raise ExchangeOver

    def pause(self, seconds: float) -> None:
        """Let time pass, unless the client leaves first."""
        if self._unwind.wait(seconds):
            raise ExchangeOver

    def wait_for(self, event: threading.Event) -> None:
        """Wait for a test's event, unless the client leaves first."""
        while not event.wait(_LOOK_SECONDS):
            if self._unwind.is_set():
                raise ExchangeOver

    def wait_until_client_leaves(self) -> NoReturn:
        """Stay silent until the client leaves or the fake is stopped."""
        self._unwind.wait()
        raise ExchangeOver

    def mark_answered(self, *, complete: bool = False) -> None:
        """Note that what the client does from now on is no disconnect.

        To be called before the last byte is sent: a quick client leaves as soon as it has it.
        """
        with self._lock:
            self._answered = True
            self._complete = complete and not self.request.disconnected.is_set()

    def client_left(self) -> None:
        """Note that the client's side is gone; of no effect once the answer is complete."""
        with self._lock:
            if self._answered or self.request.disconnected.is_set():
                return
            self.request.left_at = time.monotonic()
            self.request.disconnected.set()
        self._unwind.set()
        self._changed()

    def abandon(self) -> None:
        """Unwind the handler: the fake itself is ending the connection."""
        with self._lock:
            self._answered = True
        self._unwind.set()

    def hang_up(self) -> None:
        """Send FIN, unless the connection was ended already, and wake the thread that watches."""
        if not self._ended:
            self._shut(socket.SHUT_RDWR)

    def _shut(self, half: int) -> None:
        self.mark_answered()
        self._ended = True
        try:
            self._socket.shutdown(half)
        except OSError:
            return  # the client was faster: there is nothing left to end


Handler = Callable[[Exchange], None]
