"""The one file of the memory: opened, checked, and kept from being lost or trusted wrongly."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tensoria.memory.schema import STATEMENTS, VERSION

Result = TypeVar("Result")

NAME = "memory.sqlite"
# How long one transaction waits for another worker's.
BUSY_SECONDS = 2.0
# A log that a burst has made longer is cut to this when it is next begun anew.
_LOG_BYTES = 16 * 1024 * 1024
# What these say may pass by itself; anything else may be the connection's own state.
_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_LOCKED})


class Unusable(Exception):
    """The file is there and is not ours to use; it is left as it is. The message says why."""


class Database:
    """A connection that is opened when it is first needed. Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._connection: sqlite3.Connection | None = None

    def read(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Return what a function finds in one state of the file.

        Raises Unusable, sqlite3.Error and OSError, and what the function raises.
        """
        return self._transact("BEGIN", function)

    def write(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Have a function change the file, all or nothing; raises as `read` does."""
        return self._transact("BEGIN IMMEDIATE", function)

    def exists(self) -> bool:
        """Tell whether anything was ever kept."""
        return (self.folder / NAME).exists()

    def shrink(self, pages: int) -> None:
        """Give free pages back to the system, and let the log hold nothing of what was deleted."""
        connection = self._opened()
        # It frees a page a step, and `execute` steps once where there are no columns.
        connection.executescript(f"PRAGMA incremental_vacuum({int(pages)})")
        self.empty_log()

    def empty_log(self) -> None:
        """Let the log hold nothing of what was deleted, unless somebody reads it now."""
        self._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _transact(self, begin: str, function: Callable[[sqlite3.Connection], Result]) -> Result:
        connection = self._opened()
        try:
            connection.execute(begin)
            result = function(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and _primary(error) not in _PASSING:
                self.close()
            raise
        return result

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = _connected(self.folder / NAME)
        return self._connection


def _connected(path: Path) -> sqlite3.Connection:
    _make_private(path)
    # Whoever runs functions aside may do it in another thread each time.
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        if _primary(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise Unusable(f"{NAME} is damaged; it was left as it is") from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """SQLite would give the file, and those beside it, whatever mode the umask leaves."""
    path.touch(mode=0o600)


def _prepare(connection: sqlite3.Connection) -> None:
    # First of all: what follows would change somebody else's file.
    _check_version(connection)
    # Before there is any table, or it has no effect: deleting then makes the file shorter.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten, not only unlinked.
    connection.execute("PRAGMA secure_delete = ON").fetchall()
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}").fetchall()
    if _version(connection) == 0:
        _make(connection)


def _check_version(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version not in (0, VERSION):
        raise Unusable(f"{NAME} was written by a newer Tensoria (version {version} of the file)")


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables, unless another worker has been faster."""
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) == 0:
        for statement in STATEMENTS:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _primary(error: sqlite3.Error) -> int:
    """Return SQLite's kind of error without its details (sqlite.org/rescode.html)."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
