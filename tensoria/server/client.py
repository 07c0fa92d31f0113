"""The client of one request: watched from its first byte to its last, by one peek when it stirs."""

import select
import socket
from typing import Any

import gevent

from tensoria.errors import ClientGone


class _Gone(ClientGone, gevent.GreenletExit):  # type: ignore[misc]  # gevent has no types
    """What gunicorn's worker takes for an end without a word, should nobody take it before."""


class SocketClient:
    """A client on a socket of gevent's, and the one owner of its request's end.

    | state    | after                            | what follows                                 |
    | -------- | -------------------------------- | -------------------------------------------- |
    | watched  | the start                        | `end` throws into the request's greenlet     |
    | ended    | the first `end`: the hang-up     | nothing more is thrown                       |
    | over     | `stop_watching`: it is cleaned up | nothing is thrown at all                    |

    Clean-up may wait for the engine, and a throw in the middle of it would lose what it gives back.
    """

    def __init__(self, client: Any) -> None:
        # The socket below gevent's: its recv returns at once instead of waiting in the hub.
        self._socket: socket.socket = getattr(client, "_sock", client)
        self._greenlet = gevent.getcurrent()
        self._gone = False
        self._watcher: Any = None
        self.kept = False

    def watch(self) -> None:
        """End the request, by ClientGone, as soon as its client hangs up."""
        if self._socket.fileno() >= 0:
            self._watcher = gevent.get_hub().loop.io(self._socket.fileno(), 1)
            self._watcher.start(self._stirred)

    def keep_watching(self) -> None:
        """Say that the answer is not over when the application returns: it is a stream."""
        self.kept = True

    def stop_watching(self) -> None:
        """Say that the request is being cleaned up; a second call does nothing."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def end(self, cause: BaseException) -> bool:
        """Throw a cause into the request, from the hub; tell whether it was the first in time."""
        if self._watcher is None:
            return False
        self.stop_watching()
        self._greenlet.throw(cause)
        return True

    def gone(self) -> bool:
        """Tell, without waiting, whether the client hung up.

        A half-close counts, as in Go's net/http and in nginx.
        """
        return self._gone or (self._watcher is None and self._has_hung_up())

    def _stirred(self) -> None:
        """Called in the hub when there is something to read: the end, or a request too early."""
        if self._peek() is None:
            return
        if not self._has_hung_up():
            # Bytes of a next request hide the end that follows them: `gone` asks the kernel then.
            self.stop_watching()
            return
        self._gone = True
        self.end(_Gone())

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
