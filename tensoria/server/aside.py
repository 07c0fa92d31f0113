"""A real thread for what may wait for a disk: in the hub's own it would hold up everybody."""

from collections.abc import Callable
from typing import Any

import gevent.threadpool


class Aside:
    """Runs functions in one thread of their own, one after the other.

    The greenlet that calls waits as for a socket, and all others go on. The functions may use
    nothing that gevent has patched: no lock of `threading`, no logging.
    """

    def __init__(self) -> None:
        self._pool: gevent.threadpool.ThreadPool | None = None

    def __call__(self, function: Callable[[], Any]) -> Any:
        """Return what the function returns, or raise what it raises."""
        if self._pool is None:
            self._pool = gevent.threadpool.ThreadPool(1)
        return self._pool.apply(function)
