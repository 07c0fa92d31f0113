"""Runs and those who follow them, without any engine."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tensoria.memory import events, runs
from tensoria.memory.run import Run
from tensoria.memory.runs import Runs
from tensoria.memory.store import Memory
from tests.memory.kept import body, count, keep
from tests.waiting import until


def event(number: int, type_: str = "delta") -> dict[str, Any]:
    return {"type": type_, "sequence_number": number}


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return [each["sequence_number"] for each in found]


@pytest.fixture
def run(memory: Memory) -> Run:
    """A run whose response is kept."""
    queued = body("a", status="queued", output=[], background=True)
    made = Run("", queued, memory.worker())
    keep(memory, "a", worker=made.worker, status="queued", output=[], background=True)
    return made


def written(memory: Memory) -> list[int]:
    return numbers(memory.read(lambda db: events.after(db, "a", -1)))


def test_events_are_written_soon_and_in_batches(memory: Memory, run: Run) -> None:
    Runs(memory).add(run)
    for number in range(50):
        run.publish([event(number)])
    until(lambda: written(memory) == list(range(50)))
    run.publish([event(50)], body("a", status="in_progress", output=[]))
    until(lambda: memory.find("", "a").status == "in_progress")

    assert count(memory, "events") <= 5


def test_its_end_is_there_before_it_is_told(memory: Memory, run: Run) -> None:
    own = Runs(memory)
    own.add(run)
    found: list[str] = []

    def follow() -> None:
        number, over = -1, False
        while not over:
            told, over = run.after(number, 5)
            number = told[-1]["sequence_number"]
        found.append(memory.find("", "a").status)

    follower = threading.Thread(target=follow)
    follower.start()
    run.publish([event(0), event(1)])
    own.finish(run, [event(2, "response.completed")], body("a"))
    follower.join(5)

    assert found == ["completed"]
    assert written(memory) == [0, 1, 2]
    assert own.get("", "a") is None


def test_a_follower_waits_no_longer_than_it_asked(run: Run) -> None:
    assert run.after(-1, 0.01) == ([], False)
    assert not run.wait(0.01)


def test_the_end_is_said_again_to_who_has_it(run: Run) -> None:
    run.publish([event(0, "response.completed")], last=True)

    assert run.after(-1, 0) == ([event(0, "response.completed")], True)
    assert run.after(5, 0) == ([event(6, "response.completed")], True)


def test_a_run_belongs_to_its_owner(memory: Memory, run: Run) -> None:
    own = Runs(memory)
    own.add(run)

    assert own.get("", "a") is run
    assert own.get("somebody", "a") is None


def test_it_is_cancelled_once_and_not_behind_its_end(run: Run) -> None:
    ended: list[int] = []
    run.end = lambda: ended.append(1)
    run.cancel()
    run.cancel()
    assert ended == [1]

    other = Run("", body("b"), "0:x")
    other.cancel()
    other.publish([], last=True)
    late = Run("", body("c"), "0:x")
    late.end = lambda: ended.append(2)
    late.publish([], last=True)
    late.cancel()
    assert ended == [1]


def test_one_that_was_deleted_elsewhere_is_ended(memory: Memory, run: Run) -> None:
    ended = threading.Event()
    run.end = ended.set
    Runs(memory).add(run)
    memory.write(lambda db: db.execute("DELETE FROM responses"))

    assert ended.wait(5)


def failing(function: Callable[[], Any]) -> Any:
    raise OSError(28, "No space left on device")


def test_what_a_full_disk_did_not_take_is_written_later(
    memory: Memory, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runs, "RETRY_SECONDS", 0.01)
    own = Runs(memory)
    own.add(run)
    aside, memory.aside = memory.aside, failing
    run.publish([event(0)])
    until(lambda: "Events wait" in caplog.text)
    own.finish(run, [event(1, "response.completed")], body("a"))
    assert run.after(0, 5)[1]
    assert own.get("", "a") is run
    memory.aside = aside
    until(lambda: own.get("", "a") is None)

    assert memory.find("", "a").status == "completed"
    assert written(memory) == [0, 1]


def test_not_endlessly_many_wait_for_the_disk(
    memory: Memory, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_UNWRITTEN", 1)
    own = Runs(memory)
    memory.aside, aside = failing, memory.aside
    own.add(run)
    other = Run("", body("b"), run.worker)
    own.add(other)
    own.finish(run, [event(0)], body("a"))
    own.finish(other, [event(0)], body("b"))

    assert own.get("", "a") is None
    assert own.get("", "b") is other
    memory.aside = aside


def test_nothing_is_written_for_a_run_that_is_over(memory: Memory, run: Run) -> None:
    memory.write(lambda db: events.append(db, "a", [], worker=run.worker))
    memory.write(lambda db: events.append(db, "a", [event(0)], worker="0:other"))
    memory.write(lambda db: events.append(db, "a", [event(0), event(1)], worker=run.worker))
    memory.write(lambda db: events.append(db, "a", [event(1), event(2)], worker=run.worker))

    assert written(memory) == [0, 1, 2]
