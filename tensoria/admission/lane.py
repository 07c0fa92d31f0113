"""One model's slots and queue, and what is known of how long its requests take."""

from typing import Generic

from tensoria.admission.queue import FairQueue, Item
from tensoria.admission.shares import Share

# What the last request counts for in the mean time that a request takes.
_WEIGHT = 0.2


class Lane(Generic[Item]):
    """One model's slots and queue, and how long its requests take."""

    def __init__(self, share: Share) -> None:
        self.queue: FairQueue[Item] = FairQueue(share.slots, share.most_waiting)
        self._mean_seconds: float | None = None
        self._latest_start = 0.0

    def idle(self) -> bool:
        """Tell whether nobody runs or waits."""
        return not self.queue.running and not self.queue.waiting

    def started(self, now: float) -> None:
        """Note that a request has a slot."""
        self._latest_start = now

    def ended(self, seconds: float) -> None:
        """Learn how long a slot was held."""
        mean = self._mean_seconds
        self._mean_seconds = seconds if mean is None else mean + _WEIGHT * (seconds - mean)

    def estimate(self, position: int, now: float) -> float:
        """Return in how many seconds the one at a position is likely to run."""
        # Until the first has ended, all that is known is that the others take longer than this.
        mean = self._mean_seconds
        known = now - self._latest_start if mean is None else mean
        return known * position / self.queue.slots
