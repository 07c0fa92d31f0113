"""One connection: its requests are read, answered one after the other, and watched meanwhile."""

import contextlib
import socket
import threading
from collections.abc import Callable

from tests.fake_ollama.exchange import Exchange, ExchangeOver, Handler, ReceivedRequest

# Far longer than any handler needs to come to its end; only a handler with a fault reaches it.
JOIN_SECONDS = 5.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection:
    """A client's connection, served by a thread of its own.

    Handlers run in a second thread, so that this one can notice a client that leaves while the
    handler is silent: it waits for the next request, and finds the end of the stream.
    """

    def __init__(
        self,
        sock: socket.socket,
        number: int,
        route: Callable[[ReceivedRequest], Handler],
        changed: Callable[[], None],
        ended: Callable[["Connection"], None],
    ) -> None:
        self.number = number
        self._socket = sock
        self._route = route
        self._changed = changed
        self._ended = ended
        self._buffer = b""
        self._exchange: Exchange | None = None
        self._thread = threading.Thread(target=self._serve, name=f"fake-connection-{number}")

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def drop(self) -> None:
        """End the connection now, and whatever is being answered on it."""
        if self._exchange:
            self._exchange.abandon()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def drop_if_idle(self) -> bool:
        """End the connection when nothing is being answered on it; say whether it was so."""
        exchange = self._exchange
        if exchange and not exchange.answered:
            return False
        if exchange:
            exchange.request.over.wait(JOIN_SECONDS)  # its last bytes may still be on their way
        self.drop()
        return True

    def join(self) -> bool:
        """Wait for the thread to end; say whether it did."""
        self._thread.join(JOIN_SECONDS)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        try:
            with self._socket:
                while (request := self._read_request()) and self._answer(request):
                    pass
        finally:
            self._ended(self)

    def _answer(self, request: ReceivedRequest) -> bool:
        """Answer one request; say whether the connection can carry another."""
        exchange = Exchange(self._socket, request, self._changed)
        self._exchange = exchange
        handler = self._route(request)
        worker = threading.Thread(
            target=self._handle, args=(exchange, handler), name=f"fake-handler-{self.number}"
        )
        worker.start()
        if not self._client_stays():
            exchange.client_left()
        worker.join()
        return exchange.keeps_alive

    def _handle(self, exchange: Exchange, handler: Handler) -> None:
        try:
            handler(exchange)
        except ExchangeOver:
            pass
        finally:
            if not exchange.keeps_alive:
                exchange.hang_up()
            exchange.request.over.set()
            self._changed()

    def _client_stays(self) -> bool:
        """Wait for the client's next byte, and leave it unread; False when it has left."""
        if self._buffer:
            return True
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _read_request(self) -> ReceivedRequest | None:
        """Read one request; None when the client has closed the connection.

        Only Content-Length is understood: that is how every client of Ollama sends its JSON.
        """
        head = self._read_head()
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self._socket.sendall(_CONTINUE)
        body = self._read_exactly(int(headers.get("content-length", 0)))
        if body is None:
            return None
        return ReceivedRequest(method, path, query, headers, body, self.number)

    def _read_head(self) -> bytes | None:
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def _read_exactly(self, length: int) -> bytes | None:
        while len(self._buffer) < length:
            if not self._receive():
                return None
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(1 << 20)
        except OSError:
            return False
        self._buffer += data
        return bool(data)
