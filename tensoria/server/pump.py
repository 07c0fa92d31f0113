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
# So many clients are written to at a time: the first of them waits for the steps of the others.
MOST_WRITES = 32


class Batch:
    """The pumps of a worker that have something to write when the loop's turn is over.

    A write to a reader that sleeps has the kernel wake it, which costs twice what the rest of the
    write does, and a reader of many streams (a proxy, a client on this machine) sleeps again before
    the next step is taken. Of writes one behind the other only the first wakes it.
    """

    __slots__ = ("_pumps",)

    def __init__(self) -> None:
        self._pumps: list[Pump] = []

    def add(self, pump: "Pump") -> None:
        """Have it write before the loop sleeps again."""
        if not self._pumps:
            get_hub().loop.run_callback(self.write)
        self._pumps.append(pump)
        if len(self._pumps) >= MOST_WRITES:
            self.write()

    def write(self) -> None:
        """Have all of them write."""
        pumps, self._pumps = self._pumps, []
        for pump in pumps:
            pump.write()


class Pump:
    """Takes a step whenever there is something to read, and writes what it returns.

    Neither waits, so that it may be done in the hub: the engine's descriptor is readable, and what
    the client does not take at once goes to the response's outbox.
    """

    __slots__ = ("_batch", "_data", "_response", "_step", "_waiter")

    def __init__(self, response: OneSendResponse, step: Step, batch: Batch) -> None:
        self._response = response
        self._step = step
        self._batch = batch
        # What is to be written in the batch.
        self._data = b""
        self._waiter: Any = Waiter()

    def run(self, source: int) -> None:
        """Sleep until a step returns None; raises what it raises, or what is thrown in meanwhile.

        All that the steps returned has then been written. A client that takes nothing more is
        ClientClosed.
        """
        watcher = get_hub().loop.io(source, _READ, priority=_BEHIND_OTHERS)
        try:
            watcher.start(self._stirred)
            self._waiter.get()
        finally:
            watcher.stop()
            watcher.close()
            self._write()

    def write(self) -> None:
        """Called in the hub: write what there is, if that was not done."""
        try:
            self._write()
        except Exception as error:  # noqa: BLE001  # it is raised in the request
            self._waiter.throw(error)

    def _stirred(self) -> None:
        """Called in the hub; each time that the loop finds the engine ahead of us, once."""
        try:
            data = self._step()
        except Exception as error:  # noqa: BLE001  # it is raised in the request
            self._waiter.throw(error)
            return
        if data is None:
            self._waiter.switch(None)
        elif data:
            first = not self._data
            self._data += data
            if first:
                self._batch.add(self)

    def _write(self) -> None:
        data, self._data = self._data, b""
        try:
            if data:
                self._response.write(data)
        except OSError:
            raise ClientClosed from None
