"""Connections on which nothing came in time are ended here: one thread for all of them.

A timeout of the socket's own would cost a timer for each chunk of each stream.
"""

import threading
import time
from _thread import start_new_thread
from math import inf
from typing import Protocol
from weakref import ref

# How late a limit may be noticed that came nearer after the last look.
LOOK_SECONDS = 1.0


class Watched(Protocol):
    """Something that waits until `due` (of time.monotonic; inf while it waits for nothing)."""

    due: float

    def expire(self) -> None:
        """End the wait; called from another thread, and must not wait itself."""
        ...


class Sweeper:
    """Looks at what is watched when the first is due; its thread lives while anything waits.

    Whoever sets `due` to a moment before `next_look` calls `look_by`. Both sides write before they
    read (`due` and then `next_look` there, `next_look` and then `due` here), so that one of them
    sees the other, and nothing needs a lock for each receive.
    """

    def __init__(self) -> None:
        # Of time.monotonic; inf while nobody looks.
        self.next_look = inf
        # Weak: what is dropped without a word is closed when it is collected.
        self._watched: set[ref[Watched]] = set()
        self._called = threading.Event()
        self._lock = threading.Lock()
        self._running = False

    def watch(self, each: Watched) -> None:
        """Look at it from now on."""
        self._watched.add(ref(each, self._watched.discard))

    def forget(self, each: Watched) -> None:
        """Look at it no more; a second call does nothing."""
        self._watched.discard(ref(each))

    def look(self) -> None:
        """Say that something is due before `next_look`."""
        with self._lock:
            if self._running:
                self._called.set()
            else:
                self._running = True
                start_new_thread(self._run, ())

    def _run(self) -> None:
        while True:
            self._called.clear()
            self.next_look = inf
            soonest = self._sweep()
            if soonest == inf and self._is_over():
                return
            self.next_look = min(soonest, time.monotonic() + LOOK_SECONDS)
            self._called.wait(max(0.0, self.next_look - time.monotonic()))

    def _sweep(self) -> float:
        """End what is overdue, and return when the next one is due."""
        now, soonest = time.monotonic(), inf
        for each in self._all():
            if each.due <= now:
                each.due = inf
                each.expire()
            elif each.due < soonest:
                soonest = each.due
        return soonest

    def _is_over(self) -> bool:
        """Tell whether the thread may end: nothing has begun to wait since it looked."""
        with self._lock:
            self._running = any(each.due < inf for each in self._all())
            return not self._running

    def _all(self) -> list[Watched]:
        # The copy is made in one step, whatever other threads add meanwhile.
        return [each for watched in list(self._watched) if (each := watched()) is not None]
