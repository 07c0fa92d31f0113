"""The gunicorn worker: gevent's, with a client whose leaving ends its request."""

import gc
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import gevent
import gevent.event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http.errors import ParseException
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

from tensoria.errors import ServiceStopping
from tensoria.server import parts
from tensoria.server.aside import Aside
from tensoria.server.client import SocketClient
from tensoria.server.detached import DetachedClient
from tensoria.server.heartbeats import Heartbeats
from tensoria.server.limits import make_room_for_files, raise_file_limit
from tensoria.server.pump import Batch
from tensoria.server.settings import LAST_WORDS_SECONDS, grace_seconds

# How often the arbiter is told that this worker lives.
NOTIFY_SECONDS = 1.0
HANG_UP_SECONDS = 0.1
# Passes over what is young take less than a millisecond each, those over what such a pass left come
# once in 500,000 objects more, and live streams are most of it.
GC_THRESHOLDS = (5_000, 100, 50)
QUIET_SECONDS = 0.5
# Who waits longer for the disk that keeps responses is told that it fails.
STORING_SECONDS = 5.0

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class TensoriaWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Loads the app behind `WithClient`, and stops in an orderly way.

    gunicorn's own accepts for up to a second after SIGTERM, waits for idle keep-alive connections,
    and cuts a stream whose time is up without a word.
    """

    _stopping: gevent.event.Event | None = None

    def init_process(self) -> None:
        """Called first in the worker's process; returns when it ends."""
        # Until gevent has patched, the handlers are those of the arbiter, which would note a
        # signal for nobody to read; the arbiter then waits `graceful_timeout` for this process.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        super().init_process()

    def load_wsgi(self) -> None:
        """Called once in the worker's process, after gevent has patched."""
        super().load_wsgi()
        raise_file_limit()
        make_room_for_files()
        # gevent notes for its debugger where each greenlet was spawned, which behind Flask is deep:
        # a quarter of what a stream pays for being opened beside its request.
        gevent.config.track_greenlet_tree = False
        parts.install()
        self._clients: set[SocketClient | DetachedClient] = set()
        self._waiting: set[Waiting] = set()
        self._stopping = gevent.event.Event()
        self.wsgi: WSGIApp = WithClient(self.wsgi, self._clients, self._stopping.is_set)
        # What start-up made lives as long as the process: the collector need not walk it. What a
        # request leaves behind dies by its reference count; a walk through a thousand open streams
        # for the sake of a few cycles would hold all of them up.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    def timeout_ctx(self) -> "Waiting":
        """Called around each wait for a connection's next request."""
        return Waiting(self.cfg.keepalive, self._waiting)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: accept nothing more, and finish what is being answered."""
        super().handle_exit(sig, frame)
        if self._stopping is not None:
            self._stopping.set()

    def run(self) -> None:
        """Called once: serve until SIGTERM, then finish."""
        assert self._stopping is not None  # noqa: S101  # load_wsgi came before
        servers = [self._listen(each) for each in self.sockets]
        while self.alive:
            self.notify()
            self._stopping.wait(NOTIFY_SECONDS)
        for server in servers:
            server.close()
        self._finish(servers)

    def _listen(self, sock: Any) -> StreamServer:
        sock.setblocking(1)
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        pool = Pool(self.worker_connections)
        handle = partial(self.handle, Listener(sock))
        server = StreamServer(sock, handle=handle, spawn=pool, **tls)
        if self.cfg.workers > 1:
            server.max_accept = 1
        server.start()
        return server

    def _finish(self, servers: list[StreamServer]) -> None:
        """Wait for the answers that run; those that outlast the grace end with an error."""
        if not self._wait_for_answers(servers, grace_seconds(self.cfg.graceful_timeout)):
            self.log.warning("%d answers are ended: their time is up.", len(self._clients))
            for client in list(self._clients):
                gevent.get_hub().loop.run_callback(client.end, ServiceStopping())
            self._wait_for_answers(servers, LAST_WORDS_SECONDS)
        for server in servers:
            server.stop(timeout=1)

    def _wait_for_answers(self, servers: list[StreamServer], seconds: float) -> bool:
        """Hang up on idle clients until nobody is left; tell whether that was in time."""
        deadline = time.monotonic() + seconds
        while self._clients or any(_is_busy(server) for server in servers):
            if time.monotonic() > deadline:
                return False
            self.notify()
            # A connection may become idle while others are answered. One that has only begun to
            # wait may have its request on the way.
            quiet_since = time.monotonic() - QUIET_SECONDS
            for waiting in list(self._waiting):
                if waiting.since < quiet_since:
                    waiting.end()
            gevent.sleep(HANG_UP_SECONDS)
        return True


def _is_busy(server: StreamServer) -> bool:
    busy: bool = server.pool.free_count() != server.pool.size
    return busy


class Listener:
    """What gunicorn asks a listening socket for; one closed a moment ago could not tell it."""

    def __init__(self, sock: Any) -> None:
        self._name = sock.getsockname()

    def getsockname(self) -> Any:
        """Return the address that was listened on."""
        return self._name


class Waiting(gevent.Timeout):  # type: ignore[misc]  # gevent has no types
    """A wait for the next request, which ends as by its timeout when the worker stops.

    Without it an idle keep-alive connection holds up a graceful stop for `graceful_timeout`.
    """

    def __init__(self, seconds: float, everybody: "set[Waiting]") -> None:
        super().__init__(seconds, False)
        self._everybody = everybody
        self._greenlet = gevent.getcurrent()
        self.since = time.monotonic()

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

    `tensoria.stopping` tells whether the worker does no more than finish what it has, and
    `tensoria.aside` runs a function that may wait for a disk, `tensoria.storing` too, in a thread
    of its own and for a few seconds at most.

    Whoever reads a body begins to watch behind it. Whoever answers with a stream goes on watching,
    and stops when the stream is closed. `start_response` is a method of gunicorn's response.
    """

    def __init__(
        self,
        app: WSGIApp,
        everybody: set[Any],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._everybody = everybody
        self._stopping = stopping
        self._heartbeats = Heartbeats()
        self._batch = Batch()
        self._aside = Aside(humble=True)
        self._storing = Aside(STORING_SECONDS)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # When client and engine answer faster than we read, a greenlet never waits, and one
        # keep-alive connection would have the worker for itself (seen: p99 1.27 s at 16 clients).
        gevent.sleep(0)
        client = environ["tensoria.client"] = SocketClient(
            environ["gunicorn.socket"],
            self._everybody,
            getattr(start_response, "__self__", None),
            self._heartbeats,
            self._batch,
        )
        environ["tensoria.stopping"] = self._stopping()
        environ["tensoria.aside"] = self._aside
        environ["tensoria.storing"] = self._storing
        if "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = ChunkedInput(environ["wsgi.input"])
        if environ["REQUEST_METHOD"] == "GET":
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
