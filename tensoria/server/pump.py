"""The way of a stream's chunks from the engine to the client, in the hub itself.

A greenlet that wakes for each chunk has its stack copied in and out, and walks through the frames
of gunicorn and gevent; with a thousand streams none of that is in the processor's cache. So the
request's greenlet sleeps while the chunks flow, and is woken for what ends them.
"""

from collections.abc import Callable
from typing import Any

from gevent.hub import Waiter, get_hub

from tensoria.errors import ClientClosed
from tensoria.server.response import OneSendResponse

# Returns bytes for the client (b"" for none yet), or None for the end; it never waits.
Step = Callable[[], bytes | None]

_READ = 1
# Of what is ready at a time, first what is not a stream's next chunk: requests that begin, and the
# first words of their answers. libev's priorities go from -2 to 2.
_BEHIND_OTHERS = -1


class Pump:
    """Takes a step whenever there is something to read, and writes what it returns.

    Neither waits, so that it may be done in the hub: the engine's descriptor is readable, and what
    the client does not take at once goes to the response's outbox.
    """

    __slots__ = ("_response", "_step", "_waiter")

    def __init__(self, response: OneSendResponse, step: Step) -> None:
        self._response = response
        self._step = step
        self._waiter: Any = Waiter()

    def run(self, source: int) -> None:
        """Sleep until a step returns None; raises what it raises, or what is thrown in meanwhile.

        A client that takes nothing more is ClientClosed.
        """
        watcher = get_hub().loop.io(source, _READ, priority=_BEHIND_OTHERS)
        try:
            watcher.start(self._stirred)
            self._waiter.get()
        finally:
            watcher.stop()
            watcher.close()

    def _stirred(self) -> None:
        """Called in the hub; each time that the loop finds the engine ahead of us, once."""
        try:
            data = self._step()
            if data:
                self._write(data)
        except Exception as error:  # noqa: BLE001  # it is raised in the request
            self._waiter.throw(error)
            return
        if data is None:
            self._waiter.switch(None)

    def _write(self, data: bytes) -> None:
        try:
            self._response.write(data)
        except OSError:
            raise ClientClosed from None
