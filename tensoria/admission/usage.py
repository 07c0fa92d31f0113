"""How much each key and each of its end users has used, counted in memory and written aside.

Whoever adds waits for nothing. A writer takes what has come together once a second and has it
written where a disk or a lock holds up nobody; what cannot be written stays in memory for the next
time. So a crash loses the last second at most.
"""

import atexit
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tensoria.admission.callers import LONGEST_NAME
from tensoria.admission.usage_file import NONE, Counts, Row, UsageFile, plus

_log = logging.getLogger("tensoria.usage")

FLUSH_SECONDS = 1.0
# Clients make these names up: of more in one day the rest is counted as one.
MOST_END_USERS = 10_000
OTHERS = "(others)"
# For the last write, when the worker ends.
_LAST_SECONDS = 2.0
_DAY = 86_400


# Runs a function that may wait for a disk, so that nobody waits with its caller.
Aside = Callable[[Callable[[], Any]], Any]


def here(function: Callable[[], Any]) -> Any:
    """Run a function at once: where threads are real, the writer's own is aside enough."""
    return function()


class Usage:
    """One worker's counts; `aside` is what its writer writes by."""

    def __init__(self, folder: Path) -> None:
        self._file = UsageFile(folder)
        self._lock = threading.Lock()
        self._pending: dict[Row, Counts] = {}
        self._day = 0
        self._end_users: set[tuple[str, str]] = set()
        self._started = False
        self._writer: threading.Thread | None = None
        self.aside: Aside = here
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._waits = False

    def add(self, key: str, end_user: str | None, tokens_in: int, tokens_out: int) -> None:
        """Count one request that is over; the first one starts the writer."""
        day = int(time.time() // _DAY)
        with self._lock:
            row = (day, key, self._known(day, key, (end_user or "")[:LONGEST_NAME]))
            counts = (1, tokens_in, tokens_out)
            self._pending[row] = plus(self._pending.get(row, NONE), counts)
            first, self._started = not self._started, True
        if not self._dirty.is_set():
            self._dirty.set()
        if first:
            self._start()

    def close(self) -> None:
        """Write what is left; called once, when the process ends."""
        atexit.unregister(self.close)
        self._closing.set()
        self._dirty.set()
        if self._writer is not None:
            self._writer.join(_LAST_SECONDS)
            if self._writer.is_alive():
                # A disk that hangs. Two at once are one too many for the file.
                return
        self._write(here)
        self._file.close()

    def _start(self) -> None:
        """Not before a request is over: under gevent, who starts a thread lets others go ahead."""
        self._writer = threading.Thread(target=self._run, name="usage", daemon=True)
        atexit.register(self.close)
        self._writer.start()

    def _known(self, day: int, key: str, end_user: str) -> str:
        """Return the name to count by, of which each day has a bounded number."""
        if day != self._day:
            self._day = day
            self._end_users.clear()
        if not end_user or (key, end_user) in self._end_users:
            return end_user
        if len(self._end_users) >= MOST_END_USERS:
            return OTHERS
        self._end_users.add((key, end_user))
        return end_user

    def _run(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._closing.wait(FLUSH_SECONDS)
            self._dirty.clear()
            if not self._closing.is_set():
                self._write(self.aside)

    def _write(self, aside: Aside) -> None:
        with self._lock:
            rows, self._pending = self._pending, {}
        if not rows:
            return
        try:
            aside(partial(self._file.write, rows))
        except (sqlite3.Error, OSError) as error:
            self._keep(rows)
            if not self._waits:
                _log.warning("usage cannot be written and waits in memory: %s", _why(error))
            self._waits = True
        else:
            if self._waits:
                _log.warning("usage is written again")
            self._waits = False

    def _keep(self, rows: dict[Row, Counts]) -> None:
        with self._lock:
            for row, counts in rows.items():
                self._pending[row] = plus(self._pending.get(row, NONE), counts)
        self._dirty.set()


def _why(error: Exception) -> str:
    """Name the fault in SQLite's or the system's words, which hold no value of ours."""
    return f"{type(error).__name__} ({getattr(error, 'strerror', None) or error})"
