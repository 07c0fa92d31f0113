"""Responses within one file: chains, owners, ends."""

import pytest

from tensoria.memory import conversations, items, responses
from tensoria.memory.conversations import Conversation, UnknownConversation
from tensoria.memory.responses import StillRunning, UnknownResponse
from tensoria.memory.store import Memory
from tests.memory.conftest import Clock
from tests.memory.kept import body, count, item, keep, recalled


def test_a_chain_is_recalled_from_its_beginning(memory: Memory) -> None:
    keep(memory, "a")
    keep(memory, "b", "a")
    keep(memory, "c", "b")
    keep(memory, "other", "a")

    assert recalled(memory, "c") == ["in_a", "out_a", "in_b", "out_b", "in_c", "out_c"]
    assert recalled(memory, "other") == ["in_a", "out_a", "in_other", "out_other"]


def test_a_missing_link_is_named(memory: Memory) -> None:
    keep(memory, "a")
    keep(memory, "b", "a")
    memory.write(lambda db: responses.delete(db, "", "a"))
    with pytest.raises(UnknownResponse) as caught:
        recalled(memory, "b")

    assert caught.value.id == "a"


def test_another_owners_link_is_a_missing_one(memory: Memory) -> None:
    keep(memory, "a", owner="ann")
    keep(memory, "b", "a", owner="bob")
    with pytest.raises(UnknownResponse) as caught:
        recalled(memory, "b", owner="bob")

    assert caught.value.id == "a"


def test_what_still_runs_cannot_be_followed(memory: Memory) -> None:
    keep(memory, "a", worker="0:x", status="queued", output=[])
    with pytest.raises(StillRunning):
        recalled(memory, "a")


def test_half_a_call_is_not_said_again(memory: Memory) -> None:
    half = {"id": "fc_1", "type": "function_call", "status": "incomplete"}
    whole = {"id": "fc_2", "type": "function_call", "status": "completed"}
    keep(memory, "a", output=[half, whole])

    assert recalled(memory, "a") == ["in_a", "fc_2"]


def test_the_object_comes_back_with_its_output(memory: Memory) -> None:
    keep(memory, "a", metadata={"k": "v"})

    assert memory.find("", "a").body == body("a", metadata={"k": "v"})
    with pytest.raises(UnknownResponse):
        memory.find("somebody", "a")


def test_the_last_of_a_chain_takes_the_chain_along(memory: Memory) -> None:
    keep(memory, "a")
    keep(memory, "b", "a")
    memory.write(lambda db: responses.delete(db, "", "a"))
    assert count(memory, "chains") == 1
    memory.write(lambda db: responses.delete(db, "", "b"))

    assert [count(memory, each) for each in ("chains", "responses", "items")] == [0, 0, 0]
    with pytest.raises(UnknownResponse):
        memory.write(lambda db: responses.delete(db, "", "b"))


def test_a_use_is_written_down_once_a_minute(memory: Memory, clock: Clock) -> None:
    keep(memory, "a")
    stale = lambda: memory.read(lambda db: responses.is_stale(db, "", "a", clock.now))  # noqa: E731
    clock.now += 59
    assert not stale()
    clock.now += 2
    assert stale()
    memory.write(lambda db: responses.touch(db, "", "a", clock.now))

    assert not stale()


def test_an_end_that_nobody_waits_for_is_not_kept(memory: Memory) -> None:
    keep(memory, "a", worker="0:x", status="queued", output=[])
    memory.write(lambda db: responses.delete(db, "", "a"))
    ended = memory.write(lambda db: responses.finish(db, "", body("a"), worker="0:x", now=1))

    assert not ended
    assert count(memory, "items") == 0


def test_what_is_in_a_conversation_stays_in_it(memory: Memory) -> None:
    made = Conversation("conv", 1, {})
    memory.write(lambda db: conversations.insert(db, "", made, [item("first")]))
    keep(memory, "a", conversation="conv")
    memory.write(lambda db: responses.delete(db, "", "a"))
    left = memory.read(lambda db: items.of_conversation(db, "conv"))
    assert [each["id"] for each in left] == ["first", "in_a", "out_a"]
    memory.write(lambda db: conversations.delete(db, "", "conv"))

    assert count(memory, "items") == 0


def test_a_conversation_that_is_gone_takes_up_nothing(memory: Memory) -> None:
    keep(memory, "a", conversation="gone")

    assert recalled(memory, "a") == ["in_a", "out_a"]
    with pytest.raises(UnknownConversation):
        memory.write(lambda db: conversations.append(db, "", "gone", [item("x")], 1))


def test_half_a_call_does_not_join_its_conversation(memory: Memory) -> None:
    """It could not be said again: no result would follow it."""
    memory.write(lambda db: conversations.insert(db, "", Conversation("conv", 1, {}), []))
    half = {"id": "fc_1", "type": "function_call", "status": "incomplete"}
    keep(memory, "a", conversation="conv", status="incomplete", output=[item("m"), half])
    joined = memory.read(lambda db: items.of_conversation(db, "conv"))

    assert [each["id"] for each in joined] == ["in_a", "m"]


def test_a_failed_response_does_not_join_its_conversation(memory: Memory) -> None:
    memory.write(lambda db: conversations.insert(db, "", Conversation("conv", 1, {}), []))
    keep(memory, "a", conversation="conv", status="failed")

    assert memory.read(lambda db: items.of_conversation(db, "conv")) == []


def test_who_is_to_be_cancelled_is_told_to_its_worker(memory: Memory) -> None:
    for id_ in ("a", "b", "c"):
        keep(memory, id_, worker="0:x", status="queued", output=[])
    memory.write(lambda db: responses.ask_to_cancel(db, "", "a"))
    memory.write(lambda db: responses.ask_to_cancel(db, "somebody", "b"))
    memory.write(lambda db: responses.delete(db, "", "c"))
    found = memory.read(lambda db: responses.unwanted(db, "0:x", ["a", "b", "c"]))

    assert found == ["a", "c"]
