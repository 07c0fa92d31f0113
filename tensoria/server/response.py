"""gunicorn's response with fewer system calls: head and first body bytes in one send."""

from contextlib import suppress
from typing import Any

from gunicorn.http import wsgi


class OneSendResponse(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """Holds the head back until there is something to send with it.

    gunicorn sends the head on its own, and gevent's `sendall` asks the kernel for the size of the
    send buffer each time: together a fifth of what a short answer costs.
    """

    headers_sent: bool

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._head = b""

    def send_headers(self) -> None:
        """Build the head; it leaves with the first body bytes, or at the close."""
        if self.headers_sent:
            return
        lines = self.default_headers()
        lines.extend(f"{name}: {value}\r\n" for name, value in self.headers)
        self._head = "".join([*lines, "\r\n"]).encode("latin-1")
        self.headers_sent = True

    def close(self) -> None:
        """Send what is left: a head without a body, the chunk that ends a stream."""
        self.send_headers()
        last = b"0\r\n\r\n" if self.chunked else b""
        if self._head or last:
            self._send(last)

    def _emit_body(self, data: bytes) -> None:
        self._send(b"%X\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def _send(self, data: bytes) -> None:
        data, self._head = self._head + data, b""
        sent = 0
        # With TLS the socket below would send in clear text.
        if not self.cfg.is_ssl:
            with suppress(BlockingIOError):
                sent = self.sock._sock.send(data)
        if sent < len(data):
            self.sock.sendall(memoryview(data)[sent:])
