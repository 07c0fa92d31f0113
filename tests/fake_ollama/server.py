"""The listening side of the fake: scripts, what was received, and an end without leftovers."""

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from tests.fake_ollama.connection import Connection
from tests.fake_ollama.exchange import Handler, ReceivedRequest
from tests.fake_ollama.routes import LOAD, Routes, only_loads


class FakeOllama(Routes):
    """A server, by default on 127.0.0.1, that behaves as Ollama does, or as a test tells it to.

    It listens from the moment it is made, so `url` is always valid; use it as a context manager,
    or call `stop()`, which leaves no thread and no socket behind.
    """

    def __init__(self, version: str = "0.32.15", *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(version)
        self.requests: list[ReceivedRequest] = []
        self.connections_opened = 0
        self._scripts: dict[str, deque[Handler]] = {}
        self._connections: set[Connection] = set()
        self._changed = threading.Condition()
        self._stopped = False
        self._listener = socket.create_server((host, port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._waker, self._wakes = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="fake-acceptor")
        self._acceptor.start()

    def __enter__(self) -> "FakeOllama":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address for OLLAMA_BASE_URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections exist now, idle ones included."""
        with self._changed:
            return len(self._connections)

    def script(self, path: str, *handlers: Handler) -> None:
        """Answer requests to a path with these handlers in turn; the last one stays.

        `LOAD` in place of a path means the chat requests that only load a model. Without a
        handler the path goes back to what the fake does by itself.
        """
        with self._changed:
            self._scripts[path] = deque(handlers)

    def received(self, path: str) -> list[ReceivedRequest]:
        """Return the requests for one path, oldest first, without mere loads; or those (`LOAD`)."""
        with self._changed:
            requests = list(self.requests)
        if path == LOAD:
            return [r for r in requests if only_loads(r)]
        return [r for r in requests if r.path == path and not only_loads(r)]

    def wait_for_request(
        self, path: str = "/api/chat", *, count: int = 1, timeout: float = 5
    ) -> ReceivedRequest:
        """Return the request number `count` for a path, or raise TimeoutError."""
        self._wait(
            lambda: len(self.received(path)) >= count, f"request {count} for {path}", timeout
        )
        return self.received(path)[count - 1]

    def wait_for_disconnect(
        self, path: str = "/api/chat", *, count: int = 1, timeout: float = 5
    ) -> ReceivedRequest:
        """Return request number `count` of those whose client left before the answer's end.

        `left_at - received_at` of it says how long that took. TimeoutError when none does.
        """
        self._wait(lambda: len(self._left(path)) >= count, f"a client of {path} to leave", timeout)
        return self._left(path)[count - 1]

    def wait_until_idle(self, *, timeout: float = 5) -> None:
        """Wait until nothing is being answered any more, or raise TimeoutError."""
        self._wait(
            lambda: all(request.over.is_set() for request in self.requests),
            "every answer to end",
            timeout,
        )

    def wait_for_connections(self, *, at_most: int, timeout: float = 5) -> None:
        """Wait until no more connections than that exist, or raise TimeoutError."""
        self._wait(lambda: len(self._connections) <= at_most, "connections to end", timeout)

    def close_idle_connections(self) -> int:
        """Close the connections on which nothing is being answered, as a restart does."""
        with self._changed:
            connections = list(self._connections)
        return sum(connection.drop_if_idle() for connection in connections)

    def stop_listening(self) -> None:
        """Refuse new connections; those that exist go on."""
        self._waker.close()
        self._acceptor.join()

    def stop(self) -> None:
        """End everything; AssertionError names a thread whose handler does not come to its end."""
        if self._stopped:
            return
        self._stopped = True
        self.stop_listening()
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            connection.drop()
        left = [str(c.number) for c in connections if not c.join()]
        assert not left, f"handlers that do not end on connections {', '.join(left)}"

    def _left(self, path: str) -> list[ReceivedRequest]:
        return [r for r in self.received(path) if r.disconnected.is_set()]

    def _wait(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError(f"waited {timeout} s for {what}")
                self._changed.wait(remaining)

    def _accept(self) -> None:
        """Accept until `stop` closes the other end of the waking pair."""
        with self._listener, self._wakes, selectors.DefaultSelector() as waiting:
            waiting.register(self._listener, selectors.EVENT_READ)
            waiting.register(self._wakes, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in waiting.select()]
                if self._wakes in ready:
                    return
                with contextlib.suppress(ConnectionError):
                    self._open(self._listener.accept()[0])

    def _open(self, sock: socket.socket) -> None:
        # Each send shall be a segment of its own, as Go's are.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self.connections_opened += 1
            connection = Connection(
                sock, self.connections_opened, self._route, self._note, self._forget
            )
            self._connections.add(connection)
        connection.start()

    def _route(self, request: ReceivedRequest) -> Handler:
        path = LOAD if only_loads(request) else request.path
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            handlers = self._scripts.get(path)
            if not handlers:
                return self.default(request)
            return handlers.popleft() if len(handlers) > 1 else handlers[0]

    def _note(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _forget(self, connection: Connection) -> None:
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()
