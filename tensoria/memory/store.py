"""The memory of one worker: every call is made where a disk or a lock holds up nobody else."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from tensoria.errors import StorageUnavailable
from tensoria.memory import tidying
from tensoria.memory.cut_off import end_cut_off
from tensoria.memory.database import Database, Unusable
from tensoria.memory.responses import Kept, find
from tensoria.memory.workers import Worker, is_alive

_log = logging.getLogger("tensoria.memory")

__all__ = ["Connection", "Memory"]

Connection = sqlite3.Connection
Result = TypeVar("Result")
Function = Callable[[sqlite3.Connection], Result]
# Runs a function that may wait for a disk, so that nobody waits with its caller; raises
# TimeoutError when that takes too long, and the function then goes on for nobody.
Aside = Callable[[Callable[[], Any]], Any]

TIDY_SECONDS = 60.0
# While there is more to forget than one pass may take.
_HURRY_SECONDS = 0.5
_WAIT_SECONDS = 5.0


class _Abandoned(Exception):
    """Whoever asked for a change does not wait for it any more: it is not made."""


class InTurn:
    """Runs functions at once, one at a time: where threads are real, the caller's own will do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, function: Callable[[], Any]) -> Any:
        """Return what the function returns, or raise what it raises."""
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise TimeoutError
        try:
            return function()
        finally:
            self._lock.release()


class Memory:
    """Reads and writes of one file; `aside` is what they are made by.

    Raises StorageUnavailable, and what the given function raises about what it looks for.
    """

    on = True

    def __init__(
        self,
        folder: Path,
        *,
        days: float,
        max_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = Database(folder)
        self._worker = Worker(folder)
        self._folder = folder
        self._days = days
        self._max_bytes = max_bytes
        self.clock = clock
        self.aside: Aside = InTurn()
        self.started = False
        self._wake = threading.Event()
        self._closing = self.ended = False
        self._broken = False

    def read(self, function: Function[Result]) -> Result:
        """Return what a function finds."""
        return self._call(lambda: self._database.read(function))

    def write(self, function: Function[Result]) -> Result:
        """Have a function change what is kept, all or nothing; not at all if nobody waits."""
        abandoned = _flag()

        def change(db: sqlite3.Connection) -> tuple[Result, int]:
            result = function(db)
            if abandoned:
                raise _Abandoned
            return result, tidying.size(db)

        try:
            result, size = self._call(lambda: self._database.write(change))
        except BaseException:
            abandoned.append(True)
            raise
        if size > self._max_bytes:
            self._wake.set()
        return result

    def erase(self, function: Function[Result]) -> Result:
        """Write what forgets something, so that nothing of it is left in any file."""
        result = self.write(function)
        # It is gone for everybody; the next pass empties the log if this cannot.
        with suppress(StorageUnavailable):
            self._call(self._database.empty_log)
        return result

    def worker(self) -> str:
        """Return the token of this worker, which lives from now on."""
        token: str = self._call(self._worker.token)
        return token

    def find(self, owner: str, response_id: str) -> Kept:
        """Return a response, failed if its worker died; raises UnknownResponse."""

        def look(db: sqlite3.Connection) -> tuple[Kept, bool]:
            kept = find(db, owner, response_id)
            return kept, kept.worker is None or is_alive(self._folder, kept.worker)

        kept, as_it_is = self.read(look)
        if as_it_is:
            return kept
        self.write(lambda db: end_cut_off(db, self._folder, response_id))
        return self.read(lambda db: find(db, owner, response_id))

    def start(self, aside: Aside | None) -> None:
        """Called with a worker's first request: from now on old responses are forgotten."""
        if aside is not None:
            self.aside = aside
        if not self.started:
            self.started = True
            threading.Thread(target=self._run, name="memory", daemon=True).start()

    def close(self) -> None:
        """Give the files back; called once. Who asks after that is told that nothing is there."""
        self._closing = True
        self._wake.set()
        with suppress(StorageUnavailable):
            self._call(self._end)

    def _end(self) -> None:
        self.ended = True
        self._database.close()
        self._worker.close()

    def tidy(self) -> bool:
        """Forget what has to be forgotten, for a moment; tell whether there is more."""
        if not self._call(self._database.exists):
            # Who never keeps anything has no file.
            return False
        self.write(lambda db: end_cut_off(db, self._folder))
        now = self.clock()
        more = self.write(
            lambda db: tidying.tidy(db, now=now, days=self._days, max_bytes=self._max_bytes)
        )
        self._call(lambda: self._database.shrink(tidying.pages_to_free()))
        return more

    def _run(self) -> None:
        seconds = 0.0
        while not self._closing:
            self._wake.wait(seconds)
            self._wake.clear()
            seconds = _HURRY_SECONDS if self._tidied() else TIDY_SECONDS

    def _tidied(self) -> bool:
        if self._closing:
            return False
        try:
            more = self.tidy()
        except StorageUnavailable as error:
            if self.ended:
                # It was given back meanwhile, which is no fault of the disk's.
                return False
            if not self._broken:
                _log.error("%s Responses are answered and not kept.", error.message)
            self._broken = True
            return False
        if self._broken:
            _log.warning("responses are kept again")
        self._broken = False
        return more

    def _call(self, work: Callable[[], Result]) -> Result:
        def unless_ended() -> Result:
            if self.ended:
                raise Unusable("the service ends")
            return work()

        try:
            result: Result = self.aside(unless_ended)
        except (sqlite3.Error, OSError, Unusable) as error:
            raise StorageUnavailable(f"What is kept cannot be reached: {_why(error)}.") from error
        return result


def _flag() -> list[bool]:
    """Return a flag that is raised by appending: no lock that gevent may have patched."""
    return []


def _why(error: Exception) -> str:
    """Name the fault in SQLite's or the system's words, which hold no value of ours."""
    if isinstance(error, TimeoutError):
        return "the disk takes too long"
    return getattr(error, "strerror", None) or str(error)
