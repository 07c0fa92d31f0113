"""A real thread for what may wait for a disk: in the hub's own it would hold up everybody."""

import os
import sys
from collections.abc import Callable
from typing import Any

import gevent
import gevent.threadpool

_NICEST = 19


class Aside:
    """Runs functions in one thread of their own, one after the other.

    The greenlet that calls waits as for a socket, and all others go on. The functions may use
    nothing that gevent has patched: no lock of `threading`, no logging.

    `humble` is for what nobody waits for: it runs when the worker has nothing to do. As an equal it
    took the processor from all streams for 5 to 8 ms at a time, once a second.
    """

    def __init__(self, seconds: float | None = None, *, humble: bool = False) -> None:
        self._pool: gevent.threadpool.ThreadPool | None = None
        self._seconds = seconds
        self._humble = humble

    def __call__(self, function: Callable[[], Any]) -> Any:
        """Return what the function returns, or raise what it raises.

        Raises TimeoutError after `seconds`, before which nobody else may have let it begin; begun,
        it goes on for nobody.
        """
        if self._pool is None:
            self._pool = gevent.threadpool.ThreadPool(1)
            # Elsewhere a thread has no niceness of its own: it would be the worker's.
            if self._humble and sys.platform == "linux":
                self._pool.apply(os.setpriority, (os.PRIO_PROCESS, 0, _NICEST))
        with gevent.Timeout(self._seconds, TimeoutError):
            result, error = self._pool.apply(_outcome, (function,))
        if error is None:
            return result
        try:
            raise error
        finally:
            # The error knows this frame: without it they would keep each other.
            del error


def _outcome(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Let nothing be raised in the pool: gevent writes that out, with the message, as a fault."""
    try:
        return function(), None
    except BaseException as error:  # noqa: BLE001  # it is raised in the caller
        return None, error
