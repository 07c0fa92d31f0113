"""Slots beside an answer's own, as many as a test says, and the look at their threads."""

import threading

from tensoria.backends.together import THREAD


class FreeSlots:
    """`Slots` of which `free` can be had now; `most` is how many were taken at a time."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.taken = 0
        self.most = 0
        self._lock = threading.Lock()

    def another(self) -> "TakenSlot | None":
        """Return one, if one is free."""
        with self._lock:
            if not self.free:
                return None
            self._count(1)
            return TakenSlot(self)

    def give_back(self) -> None:
        """Take one back."""
        with self._lock:
            self._count(-1)

    def _count(self, taken: int) -> None:
        self.free -= taken
        self.taken += taken
        self.most = max(self.most, self.taken)


class TakenSlot:
    """A `Slot`; a test finds one that is given back twice in the numbers."""

    def __init__(self, slots: FreeSlots) -> None:
        self._slots = slots

    def close(self) -> None:
        """Give it back."""
        self._slots.give_back()


def reading_threads() -> int:
    """Return how many threads read runs of any answer."""
    return sum(thread.name == THREAD for thread in threading.enumerate())
