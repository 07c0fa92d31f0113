"""The file: who may have written it, and what is left of what was deleted."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tensoria.memory.database import NAME, Database, Unusable
from tensoria.memory.schema import VERSION


def tables(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0])


def test_a_file_of_this_version_is_made_and_opened_again(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "deep" / "folder")) as first:
        assert first.write(tables) >= 5
    with closing(Database(tmp_path / "deep" / "folder")) as second:
        assert second.read(tables) >= 5
        version = second.read(lambda db: db.execute("PRAGMA user_version").fetchone())

    assert version == (VERSION,)
    assert stat.S_IMODE((tmp_path / "deep" / "folder" / NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 1),
        ("secure_delete", 1),
        ("foreign_keys", 1),
        ("auto_vacuum", 2),
        ("busy_timeout", 2000),
    ],
)
def test_it_is_opened_as_it_should_be(tmp_path: Path, pragma: str, value: object) -> None:
    with closing(Database(tmp_path)) as database:
        assert database.read(lambda db: db.execute(f"PRAGMA {pragma}").fetchone()[0]) == value


def test_a_file_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as newer:
        newer.execute("CREATE TABLE of_tomorrow (x)")
        newer.execute("PRAGMA user_version = 99")
    before = (tmp_path / NAME).read_bytes()
    with closing(Database(tmp_path)) as database, pytest.raises(Unusable, match="newer"):
        database.read(tables)

    assert (tmp_path / NAME).read_bytes() == before


def test_a_damaged_file_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"no database at all" * 100)
    with closing(Database(tmp_path)) as database, pytest.raises(Unusable, match="damaged"):
        database.read(tables)

    assert (tmp_path / NAME).read_bytes() == b"no database at all" * 100


def test_what_fails_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    def fail(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO chains VALUES ('a', '', 0)")
        raise ZeroDivisionError

    with closing(Database(tmp_path)) as database:
        with pytest.raises(ZeroDivisionError):
            database.write(fail)
        chains = database.read(lambda db: db.execute("SELECT count(*) FROM chains").fetchone())

    assert chains == (0,)


def test_another_fault_of_the_connection_opens_it_anew(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        with pytest.raises(sqlite3.OperationalError):
            database.read(lambda db: db.execute("SELECT * FROM nothing"))

        assert database.read(tables) >= 5


def test_a_writer_that_holds_it_too_long_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensoria.memory.database.BUSY_SECONDS", 0.05)
    with closing(Database(tmp_path)) as database:
        database.read(tables)
        with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                database.write(tables)
            assert database.read(tables) >= 5
            other.execute("ROLLBACK")

        assert database.write(tables) >= 5


def test_space_is_given_back_and_the_log_is_empty(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database:
        database.write(lambda db: db.execute("INSERT INTO chains VALUES ('a', ?, 0)", ["s" * 9**6]))
        database.write(lambda db: db.execute("DELETE FROM chains"))
        database.shrink(10_000)

        assert (tmp_path / NAME).stat().st_size < 200_000
        assert (tmp_path / f"{NAME}-wal").stat().st_size == 0
