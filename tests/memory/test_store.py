"""How the file is reached: bounded waits, faults with a name, and passes that go on."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tensoria.errors import StorageUnavailable
from tensoria.memory import store
from tensoria.memory.database import NAME
from tensoria.memory.off import NoMemory
from tensoria.memory.responses import UnknownResponse
from tensoria.memory.store import InTurn, Memory
from tests.memory.conftest import Clock
from tests.memory.kept import count, keep
from tests.waiting import until


def test_a_fault_is_named_without_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file", days=1, max_bytes=1)
    with closing(memory), pytest.raises(StorageUnavailable) as caught:
        keep(memory, "a")

    assert caught.value.status == 503
    assert "File exists" in caught.value.message
    assert str(tmp_path) not in caught.value.message


def test_a_damaged_file_is_named(tmp_path: Path, memory: Memory) -> None:
    (tmp_path / NAME).write_bytes(b"nothing" * 1000)

    with pytest.raises(StorageUnavailable, match=r"memory\.sqlite is damaged"):
        memory.find("", "a")


def test_what_nobody_waits_for_is_not_written(memory: Memory) -> None:
    """The disk was slow: who asked has told its client that nothing was kept."""
    waiting: list[Callable[[], Any]] = []

    def late(function: Callable[[], Any]) -> Any:
        waiting.append(function)
        raise TimeoutError

    keep(memory, "a")
    aside, memory.aside = memory.aside, late
    with pytest.raises(StorageUnavailable, match="takes too long"):
        keep(memory, "b")
    memory.aside = aside
    with pytest.raises(store._Abandoned):
        waiting[0]()

    with pytest.raises(UnknownResponse):
        memory.find("", "b")


def test_who_stands_behind_a_slow_one_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "_WAIT_SECONDS", 0.05)
    in_turn, begun, let_go = InTurn(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        let_go.wait(10)

    thread = threading.Thread(target=in_turn, args=(slow,))
    thread.start()
    begun.wait(10)
    with pytest.raises(TimeoutError):
        in_turn(lambda: None)
    let_go.set()
    thread.join()

    assert in_turn(lambda: 7) == 7


def test_it_is_tidied_by_itself(
    memory: Memory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TIDY_SECONDS", 0.01)
    keep(memory, "a")
    clock.now += 31 * 86_400
    memory.start(None)
    memory.start(None)
    until(lambda: count(memory, "responses") == 0)

    assert [t.name for t in threading.enumerate()].count("memory") >= 1


def test_a_write_over_the_limit_begins_a_pass_at_once(memory: Memory, clock: Clock) -> None:
    assert store.TIDY_SECONDS >= 60
    memory.start(None)
    for number in range(8):
        clock.now += 1
        keep(memory, f"r{number}", text="x" * 300_000)

    until(lambda: count(memory, "responses") <= 3)


def test_a_disk_that_fails_is_told_once_and_when_it_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(store, "TIDY_SECONDS", 0.01)
    (tmp_path / NAME).write_bytes(b"nothing" * 1000)
    with closing(Memory(tmp_path, days=1, max_bytes=10**6)) as memory:
        memory.start(None)
        until(lambda: "not kept" in caplog.text)
        (tmp_path / NAME).unlink()
        until(lambda: "kept again" in caplog.text)

    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


class Stopping(Memory):
    """A memory whose service ends just as it begins to tidy."""

    def tidy(self) -> bool:
        self.close()
        return super().tidy()


def test_a_stop_in_the_middle_of_tidying_is_no_fault_of_the_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Stopping(tmp_path, days=1, max_bytes=10**6)

    assert not memory._tidied()
    assert caplog.records == []


def test_a_dead_workers_run_has_failed_for_who_reads_it(memory: Memory) -> None:
    keep(memory, "a", worker="0:dead", status="in_progress", output=[])
    kept = memory.find("", "a")

    assert (kept.status, kept.worker) == ("failed", None)
    assert kept.body["error"]["code"] == "server_error"


def test_a_dead_workers_run_has_failed_for_who_tidies(memory: Memory) -> None:
    keep(memory, "a", worker="0:dead", status="in_progress", output=[])
    keep(memory, "b", worker=memory.worker(), status="in_progress", output=[])
    memory.tidy()
    found = memory.read(lambda db: db.execute("SELECT id, status FROM responses").fetchall())

    assert sorted(found) == [("a", "failed"), ("b", "in_progress")]


def test_when_it_is_closed_nothing_is_there(memory: Memory) -> None:
    keep(memory, "a")
    memory.close()

    with pytest.raises(StorageUnavailable):
        memory.find("", "a")


def test_a_memory_that_is_off_has_nothing() -> None:
    memory = NoMemory()
    memory.start(None)

    assert not memory.on
    with pytest.raises(StorageUnavailable, match="STORE=0"):
        memory.read(lambda db: db.execute("SELECT 1"))


def test_readers_do_not_wait_for_a_writer(memory: Memory, tmp_path: Path) -> None:
    keep(memory, "a")
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert memory.find("", "a").status == "completed"
        other.execute("ROLLBACK")
