"""Work that goes on without the request that began it, and is ended as a request is."""

from collections.abc import Callable
from typing import Any

import gevent

from tensoria.errors import RequestEnded, TensoriaError


class Ended(RequestEnded, gevent.GreenletExit):  # type: ignore[misc]  # gevent has no types
    """What gevent takes for an end without a word, should nobody take it before."""


class DetachedClient:
    """The client of such work: nobody is there to leave, and it may be ended all the same.

    | state   | after           | `end`                              |
    | ------- | --------------- | ---------------------------------- |
    | going   | its creation    | throws into it, once it has begun  |
    | ending  | `stop_watching` | throws nothing                     |
    | over    | the work's end  | throws nothing, nobody waits for it |

    `everybody` holds it until the work is over, so that the worker's end waits for that.
    """

    __slots__ = ("_begun", "_everybody", "_greenlet", "_open")

    def __init__(self, everybody: "set[Any]", work: "Callable[[DetachedClient], None]") -> None:
        self._everybody = everybody
        self._everybody.add(self)
        self._open = True
        self._begun = False
        self._greenlet = gevent.spawn(self._run, work)

    def gone(self) -> bool:
        return False

    def watch(self) -> None:
        """There is nobody to watch."""

    def keep_watching(self) -> None:
        """There is nobody to watch."""

    def stop_watching(self) -> None:
        """Say that the work is being cleaned up; a second call does nothing."""
        self._open = False

    def unread(self) -> bool:
        return False

    def heartbeat(self, seconds: float, comment: bytes) -> None:
        """Nobody waits."""

    def pump(self, source: int, step: Callable[[], bytes | None]) -> None:
        """There is nobody to write to."""

    def lend(self, work: Callable[[], None]) -> "Handle":
        """Begin some work beside this one, which is ended by itself."""
        return Handle(DetachedClient(self._everybody, lambda client: work()))

    def detach(self, work: "Callable[[DetachedClient], None]") -> "Handle":
        """Begin some work that goes on without this one."""
        return Handle(DetachedClient(self._everybody, work))

    def end(self, error: TensoriaError) -> bool:
        """Throw an error into the work, from the hub; tell whether it was the first in time."""
        if not self._open:
            return False
        if not self._begun:
            # Thrown before its first line, the work would never know, nor tell anybody.
            gevent.get_hub().loop.run_callback(self.end, error)
            return True
        self.stop_watching()
        self._greenlet.throw(Ended(error))
        return True

    def _run(self, work: "Callable[[DetachedClient], None]") -> None:
        self._begun = True
        try:
            work(self)
        finally:
            self._open = False
            self._everybody.discard(self)


class Handle:
    """What who began the work has of it."""

    def __init__(self, client: DetachedClient) -> None:
        self._client = client

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the work, at most so long; tell whether it is over."""
        self._client._greenlet.join(seconds)
        over: bool = self._client._greenlet.ready()
        return over

    def end(self, error: TensoriaError) -> None:
        """Throw an error into the work, unless something was."""
        # From the hub: a throw from here would never come back.
        gevent.get_hub().loop.run_callback(self._client.end, error)
