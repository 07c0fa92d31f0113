"""What is forgotten, in which order, and what never is."""

from pathlib import Path

import pytest

from tensoria.memory import conversations, responses, tidying
from tensoria.memory.conversations import Conversation
from tensoria.memory.database import NAME
from tensoria.memory.responses import UnknownResponse
from tensoria.memory.store import Memory
from tests.memory.conftest import Clock
from tests.memory.kept import count, item, keep

DAY = 86_400


def left(memory: Memory) -> list[str]:
    found = memory.read(lambda db: db.execute("SELECT id FROM responses ORDER BY id").fetchall())
    return [row[0] for row in found]


def test_what_was_not_used_for_long_is_forgotten(memory: Memory, clock: Clock) -> None:
    keep(memory, "old")
    memory.write(lambda db: conversations.insert(db, "", Conversation("c", clock.now, {}), []))
    clock.now += 20 * DAY
    keep(memory, "new")
    clock.now += 11 * DAY
    assert not memory.tidy()

    assert left(memory) == ["new"]
    assert count(memory, "conversations") == 0


def test_a_follow_up_refreshes_the_whole_chain(memory: Memory, clock: Clock) -> None:
    keep(memory, "a")
    clock.now += 29 * DAY
    keep(memory, "b", "a")
    clock.now += 29 * DAY
    memory.tidy()
    assert left(memory) == ["a", "b"]
    clock.now += 2 * DAY
    memory.tidy()

    assert left(memory) == []


def test_a_use_refreshes_it_too(memory: Memory, clock: Clock) -> None:
    keep(memory, "a")
    clock.now += 29 * DAY
    memory.write(lambda db: responses.touch(db, "", "a", clock.now))
    clock.now += 29 * DAY
    memory.tidy()

    assert left(memory) == ["a"]


def tidied(memory: Memory) -> None:
    while memory.tidy():
        pass


def test_over_the_limit_the_least_recently_used_go_first(memory: Memory, clock: Clock) -> None:
    for id_ in "abcde":
        keep(memory, id_, text=id_ * 200_000)
        clock.now += 1
    keep(memory, "f", "a", text="f" * 200_000)
    tidied(memory)

    # The chain of a was used last, and is whole.
    assert left(memory) == ["a", "e", "f"] or left(memory) == ["a", "d", "e", "f"]
    assert memory.read(tidying.size) <= 1024 * 1024


def test_conversations_count_as_well(memory: Memory, clock: Clock) -> None:
    said = [item("x", "y" * 900_000)]
    memory.write(lambda db: conversations.insert(db, "", Conversation("c", clock.now, {}), said))
    clock.now += 1
    keep(memory, "a", text="a" * 200_000)
    tidied(memory)

    assert count(memory, "conversations") == 0
    assert left(memory) == ["a"]


def test_what_runs_stays(memory: Memory, clock: Clock) -> None:
    token = memory.worker()
    keep(memory, "a", worker=token, status="queued", output=[])
    clock.now += 31 * DAY
    tidied(memory)

    assert left(memory) == ["a"]


def test_the_file_gets_shorter(memory: Memory, clock: Clock, tmp_path: Path) -> None:
    for number in range(20):
        keep(memory, f"r{number}", text="x" * 200_000)
    long = (tmp_path / NAME).stat().st_size + (tmp_path / f"{NAME}-wal").stat().st_size
    clock.now += 31 * DAY
    tidied(memory)

    assert (tmp_path / NAME).stat().st_size < long / 10
    assert (tmp_path / f"{NAME}-wal").stat().st_size == 0


def test_a_pass_is_short_and_says_that_there_is_more(
    memory: Memory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "_PASS_SECONDS", -1)
    keep(memory, "a")
    clock.now += 31 * DAY

    assert memory.tidy()
    assert left(memory) == ["a"]


def test_nothing_is_made_where_nothing_was_kept(memory: Memory, tmp_path: Path) -> None:
    assert not memory.tidy()
    assert list(tmp_path.iterdir()) == []


def test_what_is_forgotten_is_in_no_file(memory: Memory, clock: Clock, tmp_path: Path) -> None:
    keep(memory, "a", text="a secret of mine " * 1000)
    clock.now += 31 * DAY
    memory.tidy()

    assert not any(b"a secret of mine" in path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(UnknownResponse):
        memory.find("", "a")
