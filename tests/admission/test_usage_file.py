"""Usage on disk."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from tensoria.admission import usage_file
from tensoria.admission.usage_file import Unreadable, UsageFile, read

# 2027-01-31 in days since 1970: date -u -d 2027-01-31 +%s, divided by 86400
DAY = 20849
ANN, BOB = (DAY, "ann", ""), (DAY, "team", "bob")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "usage"


@pytest.fixture
def file(folder: Path) -> Iterator[UsageFile]:
    with closing(UsageFile(folder)) as made:
        yield made


def test_what_is_written_is_added_up(folder: Path, file: UsageFile) -> None:
    file.write({ANN: (1, 20, 3), BOB: (1, 5, 5)})
    file.write({ANN: (2, 10, 4)})

    assert read(folder) == {("ann", ""): (3, 30, 7), ("team", "bob"): (1, 5, 5)}


def test_nothing_is_made_before_the_first_write(folder: Path, file: UsageFile) -> None:
    assert read(folder) == {}
    assert not folder.exists()


def test_only_the_services_user_may_look(folder: Path, file: UsageFile) -> None:
    file.write({ANN: (1, 1, 1)})

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_day_on_which_to_begin(folder: Path, file: UsageFile) -> None:
    file.write({ANN: (1, 1, 1), (DAY - 1, "ann", ""): (4, 4, 4)})

    assert read(folder, date(2027, 1, 31)) == {("ann", ""): (1, 1, 1)}
    assert read(folder, date(2027, 2, 1)) == {}


def test_the_database_is_as_the_crash_promise_needs_it(folder: Path, file: UsageFile) -> None:
    file.write({ANN: (1, 1, 1)})
    assert file._database is not None

    assert file._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file._database.execute("PRAGMA synchronous").fetchone() == (1,)


def test_workers_at_the_same_time_have_a_file_each(folder: Path, file: UsageFile) -> None:
    with closing(UsageFile(folder)) as other:
        file.write({ANN: (1, 1, 1)})
        other.write({ANN: (1, 2, 3)})

        assert len(list(folder.glob("*.sqlite"))) == 2
        assert read(folder) == {("ann", ""): (2, 3, 4)}


def test_a_later_worker_goes_on_in_the_file_of_one_that_ended(folder: Path) -> None:
    for _ in range(5):
        with closing(UsageFile(folder)) as worker:
            worker.write({ANN: (1, 1, 1)})

    assert [path.name for path in folder.glob("*.sqlite")] == ["worker-0.sqlite"]
    assert read(folder) == {("ann", ""): (5, 5, 5)}


KILLED = """
import os, pathlib, signal, sys
from tensoria.admission.usage_file import UsageFile
file = UsageFile(pathlib.Path(sys.argv[1]))
file.write({(20849, "ann", ""): (1, 2, 3)})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_written_outlives_a_kill(folder: Path, file: UsageFile) -> None:
    environ = {**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], env=environ, check=False)
    assert read(folder) == {("ann", ""): (1, 2, 3)}
    file.write({ANN: (1, 1, 1)})

    assert read(folder) == {("ann", ""): (2, 3, 4)}
    assert len(list(folder.glob("*.sqlite"))) == 1


def test_a_database_that_somebody_holds_is_an_error_in_time(folder: Path, file: UsageFile) -> None:
    file.write({ANN: (1, 1, 1)})
    holder = sqlite3.connect(folder / "worker-0.sqlite", isolation_level=None)
    with closing(holder):
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            file.write({ANN: (1, 1, 1)})
        holder.execute("ROLLBACK")
        file.write({ANN: (1, 1, 1)})

    assert read(folder) == {("ann", ""): (2, 2, 2)}


def test_a_write_that_fails_half_way_leaves_nothing(folder: Path, file: UsageFile) -> None:
    file.write({ANN: (1, 1, 1)})
    with pytest.raises(sqlite3.IntegrityError):
        file.write({ANN: (1, 1, 1), BOB: (1, 1, None)})  # type: ignore[dict-item]

    assert read(folder) == {("ann", ""): (1, 1, 1)}


def test_a_file_that_is_no_database_is_named(folder: Path, file: UsageFile) -> None:
    folder.mkdir(parents=True)
    (folder / "worker-0.sqlite").write_bytes(b"no database at all" * 100)

    with pytest.raises(sqlite3.DatabaseError):
        file.write({ANN: (1, 1, 1)})
    with pytest.raises(Unreadable, match=r"worker-0\.sqlite"):
        read(folder)
    with closing(UsageFile(folder)) as next_one, pytest.raises(sqlite3.DatabaseError):
        next_one.write({ANN: (1, 1, 1)})


def test_a_file_that_has_only_been_begun_counts_for_nothing(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "worker-0.sqlite").touch()

    assert read(folder) == {}


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        closing(UsageFile(tmp_path / "file" / "usage")) as file,
        pytest.raises(OSError, match="file"),
    ):
        file.write({ANN: (1, 1, 1)})


def test_there_are_never_more_files_than_a_bound(
    folder: Path, file: UsageFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_file, "MOST_FILES", 1)
    file.write({ANN: (1, 1, 1)})
    with closing(UsageFile(folder)) as one_more, pytest.raises(OSError, match="in use"):
        one_more.write({ANN: (1, 1, 1)})
