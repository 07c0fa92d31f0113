"""All responses that a worker runs beside their requests, and the one who writes their events."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence

from tensoria.errors import StorageUnavailable
from tensoria.memory import events, responses
from tensoria.memory.events import Event
from tensoria.memory.responses import Body
from tensoria.memory.run import Run
from tensoria.memory.store import Memory

_log = logging.getLogger("tensoria.memory")

# Events are written for those who follow in other workers, and for who comes back later.
WRITE_SECONDS = 0.1
# How soon a response ends that was cancelled by way of another worker.
LOOK_SECONDS = 0.25
# After a write that failed.
RETRY_SECONDS = 1.0
# Ended and not written, because the disk fails: the oldest of more than these is given up.
MOST_UNWRITTEN = 100


class Runs:
    """The runs of one worker, by their ids.

    What has happened since is written for all of them in one transaction, at most ten times a
    second and while there are any; whoever runs them waits for the disk at their end alone.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._unwritten: dict[str, tuple[Run, Sequence[Event], Body]] = {}
        self._writing = False
        self._warned = False

    def add(self, run: Run) -> None:
        """Take care of a run whose response is kept."""
        with self._lock:
            self._runs[run.id] = run
            starts, self._writing = not self._writing, True
        if starts:
            threading.Thread(target=self._write, name="runs", daemon=True).start()

    def get(self, owner: str, response_id: str) -> Run | None:
        """Return a run of this worker."""
        run = self._runs.get(response_id)
        return run if run is not None and run.owner == owner else None

    def finish(self, run: Run, last: Sequence[Event], body: Body) -> None:
        """Keep the end of a run, and then tell those who follow it.

        Where the disk fails they are told all the same, and it is written when that can be done.
        """
        whole = [*run.events(), *last]
        try:
            self._keep(run, whole, body)
        except StorageUnavailable as error:
            _log.warning("%s The end of a response waits in memory.", error.message)
            self._keep_waiting(run, whole, body)
            run.publish(last, body, last=True)
            return
        run.publish(last, body, last=True)
        with self._lock:
            self._runs.pop(run.id, None)

    def _keep(self, run: Run, whole: Sequence[Event], body: Body) -> None:
        now = self._memory.clock()

        def keep(db: sqlite3.Connection) -> None:
            events.append(db, run.id, whole, worker=run.worker)
            responses.finish(db, run.owner, body, worker=run.worker, now=now)

        self._memory.write(keep)

    def _keep_waiting(self, run: Run, whole: Sequence[Event], body: Body) -> None:
        with self._lock:
            self._unwritten[run.id] = (run, whole, body)
            if len(self._unwritten) > MOST_UNWRITTEN:
                oldest = next(iter(self._unwritten))
                del self._unwritten[oldest]
                self._runs.pop(oldest, None)

    def _write(self) -> None:
        """Run while there are runs."""
        looked, seconds = 0.0, WRITE_SECONDS
        while True:
            time.sleep(seconds)
            with self._lock:
                runs = list(self._runs.values())
                if not runs or self._memory.ended:
                    self._writing = False
                    return
            looks = time.monotonic() - looked >= LOOK_SECONDS
            looked = time.monotonic() if looks else looked
            seconds = WRITE_SECONDS if self._written(runs, looks=looks) else RETRY_SECONDS

    def _written(self, runs: list[Run], *, looks: bool) -> bool:
        try:
            self._write_all(runs)
            if looks:
                self._cancel_unwanted(runs)
            for run, whole, body in list(self._unwritten.values()):
                self._keep(run, whole, body)
                with self._lock:
                    self._unwritten.pop(run.id, None)
                    self._runs.pop(run.id, None)
        except StorageUnavailable as error:
            if not self._warned:
                _log.warning("%s Events wait in memory.", error.message)
            self._warned = True
            return False
        self._warned = False
        return True

    def _write_all(self, runs: list[Run]) -> None:
        waiting = [(run, *run.unwritten()) for run in runs if run.id not in self._unwritten]
        waiting = [each for each in waiting if each[1] or each[2] is not None]
        if not waiting:
            return

        def write(db: sqlite3.Connection) -> None:
            for run, new, body, _ in waiting:
                events.append(db, run.id, new, worker=run.worker)
                if body is not None:
                    responses.begin(db, body, worker=run.worker)

        self._memory.write(write)
        for *_, written in waiting:
            written()

    def _cancel_unwanted(self, runs: list[Run]) -> None:
        going = {run.id: run for run in runs if run.id not in self._unwritten}
        tokens = {run.worker for run in going.values()}
        for token in tokens:
            ids = [each for each, run in going.items() if run.worker == token]
            for each in self._memory.read(_unwanted(token, ids)):
                going[each].cancel()


def _unwanted(worker: str, ids: list[str]) -> Callable[[sqlite3.Connection], list[str]]:
    return lambda db: responses.unwanted(db, worker, ids)
