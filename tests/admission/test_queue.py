"""The fair queue: the order of turns, and what holds whatever happens."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from tensoria.admission.queue import MOST_DEBTORS, FairQueue

# A step is a request by name ("a1": the first of caller a; "a1*4" is charged four turns), or "-":
# whoever has run longest ends. One slot. (name, steps, the order in which requests get the slot)
ORDERS = [
    ("one caller, first come first served", "a1 a2 a3 - - -", "a1 a2 a3"),
    ("a second caller is next", "a1 a2 a3 a4 b1 - - - - -", "a1 b1 a2 a3 a4"),
    ("two with many alternate", "a1 a2 a3 b1 b2 b3 - - - - -", "a1 b1 a2 b2 a3 b3"),
    ("three take turns", "a1 a2 a3 b1 b2 c1 - - - - -", "a1 b1 a2 c1 b2 a3"),
    ("each new one is next but once", "a1 a2 a3 b1 c1 d1 - - - - -", "a1 b1 a2 c1 d1 a3"),
    ("one who was just served comes last", "a1 b1 b2 - a2 - - -", "a1 b1 a2 b2"),
    (
        "one at a time against many",
        "a1 b1 b2 b3 b4 - a2 - - a3 - - a4 - - -",
        "a1 b1 a2 b2 a3 b3 a4 b4",
    ),
    ("four turns at once are four", "a1*4 a2 b1 b2 b3 b4 b5 - - - - - - -", "a1 b1 b2 b3 b4 a2 b5"),
    ("four turns cost nobody's who is alone", "a1*4 a2*4 a3 - - -", "a1 a2 a3"),
    (
        "while nobody waits debts do not add up",
        "a1*3 - a2*3 - a3*3 a4 b1 b2 b3 - - - -",
        "a1 a2 a3 b1 b2 b3 a4",
    ),
    ("nobody waited: nothing is owed", "a1*4 - b1 a2 b2 - - -", "a1 b1 a2 b2"),
    ("who left and comes back still owes", "a1*3 b1 b2 b3 b4 - a2 - - - -", "a1 b1 b2 b3 a2 b4"),
    ("what is owed is paid meanwhile", "a1*2 b1 b2 b3 b4 - - - a2 - -", "a1 b1 b2 b3 a2 b4"),
    ("all who wait owe", "a1*3 a2 b1*3 b2 - - - -", "a1 b1 a2 b2"),
]


class Run:
    """A queue, who runs in it, and who has run."""

    def __init__(self, slots: int = 1, most_waiting: int = 64) -> None:
        self.queue: FairQueue[str] = FairQueue(slots, most_waiting)
        self.running: list[str] = []
        self.started: list[str] = []
        self.waiting: list[str] = []

    def arrive(self, item: str, turns: int = 1) -> None:
        if self.queue.start(item[0], turns):
            self._start(item)
        elif self.queue.full(item[0]) is None:
            self.queue.join(item[0], item, turns)
            self.waiting.append(item)

    def end(self, item: str) -> None:
        self.running.remove(item)
        following = self.queue.end(item[0])
        if following is not None:
            self.waiting.remove(following)
            self._start(following)

    def leave(self, item: str) -> None:
        self.waiting.remove(item)
        self.queue.leave(item[0], item)

    def _start(self, item: str) -> None:
        self.running.append(item)
        self.started.append(item)

    def take(self, steps: str) -> None:
        for step in steps.split():
            if step == "-":
                self.end(self.running[0])
            else:
                item, _, turns = step.partition("*")
                self.arrive(item, int(turns or 1))


@pytest.mark.parametrize(("_name", "steps", "order"), ORDERS, ids=[row[0] for row in ORDERS])
def test_order_of_turns(_name: str, steps: str, order: str) -> None:
    run = Run()
    run.take(steps)

    assert " ".join(run.started) == order


def test_with_several_slots_the_other_caller_has_the_first_that_is_free() -> None:
    run = Run(slots=4)
    run.take("a1 a2 a3 a4 a5 a6 a7 a8 b1 - -")

    assert run.started[4:] == ["b1", "a5"]


def test_callers_without_end_starve_nobody() -> None:
    """Two new ones for each turn: who waits from the beginning still has every second or third."""
    run = Run(most_waiting=1000)
    run.take("a1 a2 a3 a4")
    for number in range(100):
        run.arrive(f"{chr(1000 + number)}1")
        run.arrive(f"{chr(2000 + number)}1")
        run.end(run.running[0])

    assert run.started.index("a2") <= 2
    assert run.started.index("a3") <= 10


def test_one_who_leaves_is_passed_over() -> None:
    run = Run()
    run.take("a1 a2 a3 b1 b2")
    run.leave("b1")
    run.leave("a2")
    run.take("- - -")

    assert run.started == ["a1", "b2", "a3"]
    assert (run.queue.running, run.queue.waiting) == (0, 0)


def test_one_caller_has_at_most_half_of_the_places() -> None:
    run = Run(most_waiting=4)
    run.take("a1 a2 a3")

    assert run.queue.full("a") == "caller"
    assert run.queue.full("b") is None
    run.take("b1 c1")
    assert (run.queue.full("a"), run.queue.full("d")) == ("caller", "all")


@pytest.mark.parametrize(
    ("most_waiting", "first", "then"), [(0, "all", "all"), (1, None, "caller")]
)
def test_a_queue_of_none_or_one(most_waiting: int, first: str | None, then: str) -> None:
    run = Run(most_waiting=most_waiting)
    run.take("a1")
    assert run.queue.full("a") == first
    run.arrive("a2")
    assert run.queue.full("a") == then
    assert run.queue.full("b") == "all"


def test_positions_tell_who_runs_when() -> None:
    run = Run()
    run.take("a1 a2*3 a3 b1 b2 c1*2 c2 b3")
    told = {run.queue.position(item[0], item): item for item in run.waiting}
    while run.waiting:
        run.take("-")

    assert [told[place] for place in range(1, 8)] == run.started[1:]


def test_a_newcomers_position_is_known_before_it_waits() -> None:
    run = Run()
    run.take("a1 a2 a3 b1")

    assert [run.queue.position(caller) for caller in "abc"] == [4, 3, 3]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens(seed: int) -> None:
    """Nobody is lost, the limit holds, no slot is idle, positions are true, nothing is kept."""
    chance = random.Random(seed)  # noqa: S311  # a test repeats itself
    run = Run(slots=chance.randint(1, 4), most_waiting=chance.randint(0, 12))
    joined = Counter[str]()
    for number in range(400):
        action = chance.random()
        if action < 0.5:
            item = f"{chance.choice('abcde')}{number}"
            run.arrive(item, chance.choice((1, 1, 1, 4)))
            joined[item] = item in run.running or item in run.waiting
        elif action < 0.9 and run.running:
            run.end(chance.choice(run.running))
        elif run.waiting:
            run.leave(chance.choice(run.waiting))
        assert run.queue.running == len(run.running) <= run.queue.slots
        assert run.queue.waiting == len(run.waiting)
        assert not run.waiting or len(run.running) == run.queue.slots
    while run.running:
        run.end(run.running[0])

    assert not run.waiting
    assert not run.queue._lines
    assert not run.queue._debts
    assert max(Counter(run.started).values(), default=1) == 1


@pytest.mark.parametrize("seed", range(40))
def test_positions_are_the_order_of_turns(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # a test repeats itself
    run = Run(slots=chance.randint(1, 3))
    for number in range(40):
        run.arrive(f"{chance.choice('abcd')}{number}", chance.choice((1, 1, 3)))
        if chance.random() < 0.3:
            run.end(chance.choice(run.running))
    told = sorted(run.waiting, key=lambda item: run.queue.position(item[0], item))
    before = len(run.started)
    while run.waiting:
        run.end(run.running[0])

    assert run.started[before:] == told


@pytest.mark.parametrize("seed", range(40))
def test_between_two_turns_of_a_caller_no_other_has_more_than_two(seed: int) -> None:
    """One of its own, and one by overtaking: that is the bound of the round robin."""
    chance = random.Random(seed)  # noqa: S311  # a test repeats itself
    run = Run(most_waiting=200)
    for number in range(60):
        run.arrive(f"a{number}")
    while len(run.started) < 150:
        run.arrive(f"{chance.choice('bcd')}{len(run.started)}-{len(run.waiting)}")
        run.end(run.running[0])
        turns = [place for place, item in enumerate(run.started) if item[0] == "a"]
        for start, stop in pairwise(turns):
            between = Counter(item[0] for item in run.started[start + 1 : stop])
            assert all(count <= 2 for count in between.values())
        if not any(item[0] == "a" for item in run.waiting):
            break


def test_debts_of_one_who_never_pauses_do_not_add_up() -> None:
    """Its requests overlap, so that it is never forgotten; and nobody waited for it."""
    run = Run(slots=2)
    run.arrive("a0", 3)
    for number in range(1, 50):
        run.arrive(f"a{number}", 3)
        run.end(f"a{number - 1}")
    before = len(run.started)
    run.take("a8 a9 b1 b2 b3 b4 - - - - - -")

    assert run.started[before:] == ["a8", "b1", "b2", "b3", "a9", "b4"]


def test_debts_are_forgiven_when_the_last_who_waits_has_left() -> None:
    run = Run()
    run.take("a1*9 b1 b2 -")
    run.leave("b2")

    assert not run.queue._debts


def test_debts_of_those_who_left_are_bounded() -> None:
    run = Run(most_waiting=10)
    run.take("z1 z2 z3 z4")
    for number in range(MOST_DEBTORS * 2):
        run.arrive(f"{chr(1000 + number)}1", 100)
        run.end(run.running[0])
        run.arrive(f"z{number + 10}")

    assert len(run.queue._debts) <= MOST_DEBTORS
