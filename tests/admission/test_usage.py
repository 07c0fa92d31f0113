"""Usage in memory, and how it gets to the disk."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tensoria.admission import usage as module
from tensoria.admission.usage import OTHERS, Usage
from tensoria.admission.usage_file import read
from tests.waiting import until


@pytest.fixture
def usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Usage]:
    """Usage that is written every 10 ms."""
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    with closing(Usage(tmp_path)) as made:
        yield made


def test_it_is_written_within_a_second(tmp_path: Path) -> None:
    assert module.FLUSH_SECONDS <= 1
    with closing(Usage(tmp_path)) as usage:
        begun = time.monotonic()
        usage.add("ann", None, 20, 3)
        until(lambda: read(tmp_path) == {("ann", ""): (1, 20, 3)})

        assert time.monotonic() - begun < 2


def test_it_is_added_up_by_key_and_end_user(tmp_path: Path, usage: Usage) -> None:
    for user, tokens in ((None, 1), ("bob", 2), ("bob", 3), ("eve", 4)):
        usage.add("team", user, tokens, 10 * tokens)
    until(lambda: len(read(tmp_path)) == 3)

    assert read(tmp_path) == {
        ("team", ""): (1, 1, 10),
        ("team", "bob"): (2, 5, 50),
        ("team", "eve"): (1, 4, 40),
    }


def test_what_is_left_is_written_at_the_end(tmp_path: Path) -> None:
    usage = Usage(tmp_path)
    usage.add("ann", None, 1, 2)
    usage.close()

    assert read(tmp_path) == {("ann", ""): (1, 1, 2)}


def test_nobody_waits_for_a_write_that_takes_long(tmp_path: Path, usage: Usage) -> None:
    held, let_go = threading.Event(), threading.Event()

    def slow(function: Callable[[], Any]) -> Any:
        held.set()
        assert let_go.wait(10)
        return function()

    usage.aside = slow
    usage.add("ann", None, 1, 1)
    assert held.wait(10)
    begun = time.monotonic()
    for _ in range(1000):
        usage.add("ann", None, 1, 1)
    took = time.monotonic() - begun
    let_go.set()
    until(lambda: read(tmp_path) == {("ann", ""): (1001, 1001, 1001)})

    assert took < 0.5


def test_what_cannot_be_written_is_kept_and_written_later(
    tmp_path: Path, usage: Usage, caplog: pytest.LogCaptureFixture
) -> None:
    usage.add("ann", None, 1, 1)
    until(lambda: read(tmp_path) != {})
    with closing(sqlite3.connect(tmp_path / "worker-0.sqlite", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        usage.add("ann", None, 1, 1)
        until(lambda: "waits in memory" in caplog.text)
        usage.add("ann", None, 1, 1)
        holder.execute("ROLLBACK")
    until(lambda: read(tmp_path) == {("ann", ""): (3, 3, 3)})
    until(lambda: "written again" in caplog.text)

    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_a_folder_that_cannot_be_written_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    (tmp_path / "file").write_text("")
    with closing(Usage(tmp_path / "file")) as usage:
        usage.add("ann", None, 1, 1)
        until(lambda: "waits in memory" in caplog.text)
        usage.add("ann", None, 1, 1)


def test_end_users_that_clients_make_up_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_END_USERS", 2)
    usage = Usage(tmp_path)
    for user in ("a", "b", "c", "a", "d", None, "x" * 1000):
        usage.add("team", user, 1, 1)
    usage.close()

    assert read(tmp_path) == {
        ("team", "a"): (2, 2, 2),
        ("team", "b"): (1, 1, 1),
        ("team", OTHERS): (3, 3, 3),
        ("team", ""): (1, 1, 1),
    }


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    usage = Usage(tmp_path)
    usage.add("team", "x" * 1000, 1, 1)
    usage.close()

    assert list(read(tmp_path)) == [("team", "x" * 128)]


def test_a_new_day_has_rows_and_names_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_END_USERS", 1)
    usage = Usage(tmp_path)
    for day, user in ((20849, "a"), (20850, "b")):
        monkeypatch.setattr(time, "time", lambda day=day: day * 86_400 + 1.0)
        usage.add("team", user, 1, 1)
    usage.close()
    with closing(sqlite3.connect(tmp_path / "worker-0.sqlite")) as database:
        rows = database.execute("SELECT day, end_user FROM usage").fetchall()

    assert rows == [("2027-01-31", "a"), ("2027-02-01", "b")]


def test_a_disk_that_hangs_does_not_hold_up_the_end(
    tmp_path: Path, usage: Usage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAST_SECONDS", 0.05)
    held, let_go = threading.Event(), threading.Event()

    def hang(function: Callable[[], Any]) -> Any:
        held.set()
        let_go.wait(10)
        return function()

    usage.aside = hang
    usage.add("ann", None, 1, 1)
    assert held.wait(10)
    usage.close()
    let_go.set()
    until(lambda: read(tmp_path) == {("ann", ""): (1, 1, 1)})
