"""Usage on disk: one SQLite file for each worker that runs at the same time.

A worker takes the first file whose lock is free and gives it back by ending, however it ends; the
next one goes on in it. So there are as many files as there were ever workers at once, and never two
writers of one.
"""

import fcntl
import os
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

# Days since 1970 in UTC, the key's name, and its end user ("" for none).
Row = tuple[int, str, str]
# Requests, tokens in, tokens out.
Counts = tuple[int, int, int]
NONE: Counts = (0, 0, 0)

MOST_FILES = 256
# How long one write waits for a reader's or a stranger's lock; it is tried again a second later.
BUSY_SECONDS = 0.2
_READ_SECONDS = 5.0
_EPOCH = date(1970, 1, 1)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS usage (
    day TEXT NOT NULL, key TEXT NOT NULL, end_user TEXT NOT NULL,
    requests INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
    PRIMARY KEY (day, key, end_user)
) WITHOUT ROWID
"""
_ADD = """
INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests,
    tokens_in = tokens_in + excluded.tokens_in,
    tokens_out = tokens_out + excluded.tokens_out
"""

_SUMS = """
SELECT key, end_user, sum(requests), sum(tokens_in), sum(tokens_out) FROM usage
WHERE day >= ? GROUP BY key, end_user
"""


class Unreadable(Exception):
    """A file of usage cannot be read; the message names it."""


class UsageFile:
    """The file of this worker, opened by the first write. Called by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database: sqlite3.Connection | None = None
        self._lock: int | None = None

    def write(self, rows: Mapping[Row, Counts]) -> None:
        """Add these to what stands there, all or none; raises sqlite3.Error and OSError."""
        database = self._opened()
        values = [
            ((_EPOCH + timedelta(days=day)).isoformat(), key, end_user, *counts)
            for (day, key, end_user), counts in rows.items()
        ]
        try:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(_ADD, values)
            database.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Give the file back; a second call does nothing."""
        database, self._database = self._database, None
        lock, self._lock = self._lock, None
        if database is not None:
            database.close()
        if lock is not None:
            os.close(lock)

    def _opened(self) -> sqlite3.Connection:
        if self._database is not None:
            return self._database
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(MOST_FILES):
            lock = _locked(self._folder / f"worker-{number}.lock")
            if lock is None:
                continue
            try:
                self._database = _connected(self._folder / f"worker-{number}.sqlite")
            except BaseException:
                os.close(lock)
                raise
            self._lock = lock
            return self._database
        raise OSError(f"all {MOST_FILES} files are in use")


def read(folder: Path, since: date | None = None) -> dict[tuple[str, str], Counts]:
    """Return the sums over all workers' files, by key and end user; raises Unreadable."""
    sums: defaultdict[tuple[str, str], Counts] = defaultdict(lambda: NONE)
    for path in sorted(folder.glob("worker-*.sqlite")):
        try:
            found = _sums(path, since)
        except sqlite3.Error as error:
            raise Unreadable(f"{path.name}: {error}") from error
        for key, end_user, *counts in found:
            sums[key, end_user] = plus(sums[key, end_user], counts)
    return dict(sums)


def plus(one: Sequence[int], other: Sequence[int]) -> Counts:
    """Return the sum of two counts."""
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _sums(path: Path, since: date | None) -> list[tuple[Any, ...]]:
    with closing(_reader(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            # Its worker has only just begun it.
            return []
        return database.execute(_SUMS, (since.isoformat() if since else "",)).fetchall()


def _locked(path: Path) -> int | None:
    """Lock a file for as long as this process lives; None if another has it.

    A file of its own: closing any descriptor of the database would drop SQLite's own locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _connected(path: Path) -> sqlite3.Connection:
    # Whoever runs functions aside may do it in another thread each time.
    database = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(_SCHEMA)
    except BaseException:
        database.close()
        raise
    return database


def _reader(path: Path) -> sqlite3.Connection:
    # Not mode=ro: without a writer, reading in WAL mode has to make the file that readers share.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_READ_SECONDS, isolation_level=None
    )
