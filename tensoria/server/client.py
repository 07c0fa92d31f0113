"""The client of one request: watched from the request's start until it is cleaned up."""

import select
import socket
from collections.abc import Callable
from typing import Any

import gevent

from tensoria.errors import ClientClosed, RequestEnded, TensoriaError
from tensoria.server.detached import DetachedClient, Ended, Handle
from tensoria.server.heartbeats import Heartbeats
from tensoria.server.pump import Batch, Pump, Step
from tensoria.server.response import OneSendResponse


class SocketClient:
    """A client on a socket of gevent's, and the one owner of its request's end.

    | state | after           | what follows                                               |
    | ----- | --------------- | ---------------------------------------------------------- |
    | open  | its creation    | `end` throws into the request's greenlet, wherever it waits |
    | ended | the first `end` | nothing more is thrown                                     |
    | over  | `stop_watching` | nothing is thrown at all                                   |

    There is always one greenlet that it is thrown into: the request's own, or the one whose work
    the request waits for (`lend`).

    `watch` makes the client's leaving a cause; before it, that is an end of file to whoever reads
    the request's body.

    Clean-up may wait for the engine, and a throw in the middle of it would lose what it gives back.
    `everybody` holds the clients whose requests are open.
    """

    __slots__ = (
        "_batch",
        "_everybody",
        "_gone",
        "_greenlet",
        "_heartbeats",
        "_response",
        "_socket",
        "_watcher",
        "kept",
    )

    def __init__(
        self,
        client: Any,
        everybody: "set[Any] | None" = None,
        response: OneSendResponse | None = None,
        heartbeats: Heartbeats | None = None,
        batch: Batch | None = None,
    ) -> None:
        # The socket below gevent's: its recv returns at once instead of waiting in the hub.
        self._socket: socket.socket = getattr(client, "_sock", client)
        self._everybody: set[Any] = set() if everybody is None else everybody
        self._everybody.add(self)
        self._response = response
        self._heartbeats = heartbeats
        self._batch = Batch() if batch is None else batch
        self._greenlet = gevent.getcurrent()
        self._gone = False
        self._watcher: Any = None
        self.kept = False

    def watch(self) -> None:
        """End the request as soon as its client hangs up; a second call does nothing."""
        if self._watcher is None and self in self._everybody and self._socket.fileno() >= 0:
            self._watcher = gevent.get_hub().loop.io(self._socket.fileno(), 1)
            self._watcher.start(self._stirred)

    def keep_watching(self) -> None:
        """Say that the answer is not over when the application returns: it is a stream."""
        self.kept = True

    def stop_watching(self) -> None:
        """Say that the request is being cleaned up; a second call does nothing."""
        self._everybody.discard(self)
        self._look_away()
        if self._heartbeats is not None and self._response is not None:
            self._heartbeats.end(self._response)

    def heartbeat(self, seconds: float, comment: bytes) -> None:
        """From now on, write a comment whenever nothing was written for so long."""
        if self._heartbeats is not None and self._response is not None:
            self._heartbeats.begin(self._response, seconds, comment)

    def pump(self, source: int, step: Step) -> None:
        """Write what `step` returns whenever a descriptor can be read, until it returns None.

        Raises what `step` raises, RequestEnded, and ClientClosed when the client takes no more.
        """
        if self._response is not None:
            Pump(self._response, step, self._batch).run(source)

    def lend(self, work: Callable[[], None]) -> "Lent":
        """Begin some work beside the request; until it is done, `end` throws into it instead.

        The work raises nothing, but for being ended before it began.
        """
        return Lent(self, work)

    def detach(self, work: Callable[[DetachedClient], None]) -> Handle:
        """Begin some work that goes on without the request; the worker's end waits for it too."""
        return Handle(DetachedClient(self._everybody, work))

    def end(self, error: TensoriaError) -> bool:
        """Throw an error into the request, from the hub; tell whether it was the first in time."""
        if self not in self._everybody:
            return False
        self.stop_watching()
        self._greenlet.throw(Ended(error))
        return True

    def gone(self) -> bool:
        """Tell, without waiting, whether the client hung up.

        A half-close counts, as in Go's net/http and in nginx.
        """
        return self._gone or (self._watcher is None and self._has_hung_up())

    def unread(self) -> bool:
        """Tell whether something of the answer has not left, and may never."""
        return self._response is not None and self._response.unread

    def _stirred(self) -> None:
        """Called in the hub when there is something to read: the end, or a request too early."""
        if self._peek() is None:
            return
        if self._has_hung_up():
            self._gone = True
            self.end(ClientClosed())
        else:
            # Bytes of a next request hide the end that follows them: `gone` asks the kernel then.
            self._look_away()

    def _look_away(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def _peek(self) -> bytes | None:
        """Return a byte that waits, b"" for the end, None for nothing yet."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _has_hung_up(self) -> bool:
        waiting = self._peek()
        if not waiting:
            return waiting is not None
        poller = select.poll()
        hang_up = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
        poller.register(self._socket.fileno(), hang_up)
        return any(event & hang_up for _, event in poller.poll(0))


class Lent:
    """Some work beside a request; it has the request's client until it is done."""

    def __init__(self, client: SocketClient, work: Callable[[], None]) -> None:
        self._client = client
        self._owner = client._greenlet
        self._wanted = True
        self._greenlet = client._greenlet = gevent.spawn(self._run, work)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the work, at most so long; tell whether it is done.

        Raises RequestEnded when it was ended before it began.
        """
        self._greenlet.join(seconds)
        if isinstance(self._greenlet.value, RequestEnded):
            raise self._greenlet.value
        done: bool = self._greenlet.ready()
        return done

    def end(self, error: TensoriaError) -> None:
        """Throw an error into the work, unless something was; nobody waits for it any more."""
        self._wanted = False
        # The socket may be closed as soon as this returns.
        self._client._look_away()
        # From the hub: a throw from here would never come back.
        gevent.get_hub().loop.run_callback(self._end, error)

    def _end(self, error: TensoriaError) -> None:
        if not self._greenlet.ready():
            self._client.end(error)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            if self._wanted:
                self._client._greenlet = self._owner
            else:
                self._client.stop_watching()
