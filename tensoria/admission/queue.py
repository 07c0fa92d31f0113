"""The fair queue: who runs next. Pure: no clock, no lock, no waiting.

Callers take turns, however many requests each of them has. Waiting callers stand in a ring: the
one at its head is served and goes to its end. Who comes with nothing running is set before those
who were just served, but each of these can be overtaken only once between two turns of its own, so
that an endless row of new callers starves nobody.

A request may be charged several turns (n choices, k prompts): its caller then lets the others go
first as many times. It has one slot, in which its runs follow one another; for each further one,
had while some are free and nobody waits, it calls `start` and `end` once more.
"""

from collections.abc import Hashable
from itertools import accumulate
from typing import Generic, Literal, TypeVar

Item = TypeVar("Item", bound=Hashable)
Full = Literal["caller", "all"]

# Turns owed by callers who have nothing here any more; the oldest is forgiven.
MOST_DEBTORS = 256


class Line(Generic[Item]):
    """One caller who has something running or waiting."""

    __slots__ = ("caller", "may_be_overtaken", "owes", "running", "waiting")

    def __init__(self, caller: str, owes: int) -> None:
        self.caller = caller
        self.running = 0
        # In the order of arrival, each with the turns that it is charged.
        self.waiting: dict[Item, int] = {}
        self.owes = owes
        self.may_be_overtaken = False

    def rounds(self) -> list[int]:
        """Return in which round of the ring each runs that waits, and one that came now."""
        return list(accumulate(self.waiting.values(), initial=self.owes))


class FairQueue(Generic[Item]):
    """`slots` run, at most `most_waiting` wait, at most half of these for one caller."""

    def __init__(self, slots: int, most_waiting: int) -> None:
        self.slots = slots
        self.running = 0
        self.waiting = 0
        self._most_waiting = most_waiting
        # One place at least, or a queue of one would be a queue of none.
        self._most_of_one = max(1, most_waiting // 2)
        self._ring: list[Line[Item]] = []
        self._lines: dict[str, Line[Item]] = {}
        self._debts: dict[str, tuple[int, int]] = {}
        self._turns = 0

    def start(self, caller: str, turns: int = 1) -> bool:
        """Take a slot if one is free; nobody waits then."""
        if self.running == self.slots:
            return False
        self._run(self._line(caller), turns)
        return True

    def full(self, caller: str) -> Full | None:
        """Tell whose places are all taken: this caller's own, or everybody's."""
        line = self._lines.get(caller)
        if line and len(line.waiting) >= self._most_of_one:
            return "caller"
        return "all" if self.waiting >= self._most_waiting else None

    def join(self, caller: str, item: Item, turns: int = 1) -> None:
        """Wait; all slots must be taken, and a place must be left."""
        line = self._line(caller)
        if not line.waiting:
            self._stand(line)
        line.waiting[item] = turns
        self.waiting += 1

    def position(self, caller: str, item: Item | None = None) -> int:
        """Return which one from now an item is to run; without an item, one that came now.

        That holds while nobody else comes or leaves.
        """
        line = self._lines.get(caller) or Line(caller, 0)
        place = self._ring.index(line) if line.waiting else len(self._ring)
        rounds = line.rounds()
        mine = (rounds[-1] if item is None else rounds[list(line.waiting).index(item)], place)
        return 1 + sum(
            (round_, place) < mine
            for place, other in enumerate(self._ring)
            for round_ in other.rounds()[:-1]
        )

    def leave(self, caller: str, item: Item) -> None:
        """Give up the place of an item that waits."""
        line = self._lines[caller]
        del line.waiting[item]
        self.waiting -= 1
        if not line.waiting:
            self._ring.remove(line)
        self._forget(line)
        if not self._ring:
            self._debts.clear()

    def end(self, caller: str) -> Item | None:
        """Give back a slot, and return the item that has it now."""
        line = self._lines[caller]
        line.running -= 1
        self.running -= 1
        self._forget(line)
        return self._next()

    def _next(self) -> Item | None:
        if not self._ring:
            return None
        line = self._at_turn()
        item, turns = next(iter(line.waiting.items()))
        del line.waiting[item]
        self.waiting -= 1
        self._run(line, turns)
        if line.waiting:
            self._ring.append(line)
            line.may_be_overtaken = True
        if not self._ring:
            self._debts.clear()
        return item

    def _at_turn(self) -> Line[Item]:
        """Take the next caller out of the ring; those who owe turns pay one as they are passed."""
        least = min(line.owes for line in self._ring)
        for line in self._ring:
            line.owes -= least
        while self._ring[0].owes:
            line = self._ring.pop(0)
            line.owes -= 1
            self._ring.append(line)
        return self._ring.pop(0)

    def _run(self, line: Line[Item], turns: int) -> None:
        self.running += 1
        self._turns += 1
        line.running += 1
        # Not added up: what it had while nobody waited was taken from nobody.
        line.owes = max(line.owes, turns - 1)

    def _line(self, caller: str) -> Line[Item]:
        line = self._lines.get(caller)
        if line is None:
            owed, when = self._debts.pop(caller, (0, 0))
            # The turns of others that passed meanwhile are paid.
            line = Line(caller, max(0, owed - (self._turns - when)))
            self._lines[caller] = line
        return line

    def _stand(self, line: Line[Item]) -> None:
        place = len(self._ring)
        # Who has something running was just served, and so may be overtaken itself.
        line.may_be_overtaken = line.running > 0
        if not line.running and not line.owes:
            while place and self._ring[place - 1].may_be_overtaken:
                place -= 1
                self._ring[place].may_be_overtaken = False
        self._ring.insert(place, line)

    def _forget(self, line: Line[Item]) -> None:
        """Keep nothing of a caller who has nothing here, but the turns owed to those who wait."""
        if line.running or line.waiting:
            return
        del self._lines[line.caller]
        if line.owes and self._ring:
            self._debts[line.caller] = (line.owes, self._turns)
            if len(self._debts) > MOST_DEBTORS:
                del self._debts[next(iter(self._debts))]
