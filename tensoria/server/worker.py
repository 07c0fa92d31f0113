"""The gunicorn worker: gevent's, with a client whose leaving ends its request."""

import gc
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gunicorn.http import wsgi
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

from tensoria.server.client import SocketClient
from tensoria.server.limits import raise_file_limit
from tensoria.server.response import OneSendResponse

HANG_UP_SECONDS = 0.2

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class TensoriaWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Loads the app behind `WithClient`, and hangs up on idle clients when it stops."""

    def load_wsgi(self) -> None:
        """Called once in the worker's process, after gevent has patched."""
        super().load_wsgi()
        raise_file_limit()
        # The function that makes responses looks the class up in its own module.
        wsgi.Response = OneSendResponse
        self.wsgi: WSGIApp = WithClient(self.wsgi)
        self._waiting: set[Waiting] = set()
        # What start-up made lives as long as the process: the collector need not walk it.
        gc.collect()
        gc.freeze()

    def timeout_ctx(self) -> "Waiting":
        """Called around each wait for a connection's next request."""
        return Waiting(self.cfg.keepalive, self._waiting)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: finish what is being answered, and wait for nothing else."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._hang_up)

    def _hang_up(self) -> None:
        """Until the process ends: a connection may become idle while others are answered."""
        while True:
            for waiting in list(self._waiting):
                waiting.end()
            gevent.sleep(HANG_UP_SECONDS)


class Waiting(gevent.Timeout):  # type: ignore[misc]  # gevent has no types
    """A wait for the next request, which ends as by its timeout when the worker stops.

    Without it an idle keep-alive connection holds up a graceful stop for `graceful_timeout`.
    """

    def __init__(self, seconds: float, everybody: "set[Waiting]") -> None:
        super().__init__(seconds, False)
        self._everybody = everybody
        self._greenlet = gevent.getcurrent()

    def __enter__(self) -> "Waiting":
        self._everybody.add(self)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        self._everybody.discard(self)
        ended: bool | None = super().__exit__(*error)
        return ended

    def end(self) -> None:
        """Raise this timeout in the greenlet that waits; its own `with` takes it."""
        # From the hub: a throw from here would never come back to the greenlet that throws.
        gevent.get_hub().loop.run_callback(self._throw)

    def _throw(self) -> None:
        # Its request may have come since: thrown now, this would end an answer.
        if self in self._everybody:
            self._greenlet.throw(self)


class WithClient:
    """WSGI middleware that puts `tensoria.client` into environ, and watches it.

    Whoever answers with a stream goes on watching, and stops when the stream is closed.
    """

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # When client and engine answer faster than we read, a greenlet never waits, and one
        # keep-alive connection would have the worker for itself (seen: p99 1.27 s at 16 clients).
        gevent.sleep(0)
        client = environ["tensoria.client"] = SocketClient(environ["gunicorn.socket"])
        if "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = ChunkedInput(environ["wsgi.input"])
        client.watch()
        try:
            return self._app(environ, start_response)
        finally:
            if not client.kept:
                client.stop_watching()


class ChunkedInput:
    """A chunked body; broken framing is an OSError, as the end of the connection is.

    gunicorn's own errors are no OSErrors, so the app would take the client's fault for one of ours.
    """

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int | None = None) -> bytes:
        """Return at most `size` bytes of the body, all of it by default."""
        try:
            data: bytes = self._body.read(size)
        except ParseException as error:
            raise OSError("the chunks of the body cannot be read") from error
        return data
