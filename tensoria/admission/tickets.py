"""Tickets: a slot of a model for each request that runs, a place in its queue for one that waits.

One lock for a worker, held for a few microseconds and never while anybody waits.
"""

import threading
import time
from collections.abc import Callable
from typing import Literal, Self

from tensoria.admission.lane import Lane
from tensoria.admission.refusals import no_place, no_turn
from tensoria.admission.shares import Share
from tensoria.errors import ClientClosed

# A model, and whether it is asked to embed: a chat never waits for a batch of embeddings. That
# lane has as many slots as the other. Ollama runs one request at a time on a model that embeds,
# whatever OLLAMA_NUM_PARALLEL says, and vLLM any number: what is more than the engine runs waits
# there, and is never more than this, so that the order stays ours.
Place = tuple[str, bool]

# Names of cloud models are not checked against any list.
MOST_LANES = 256
# How often one that waits looks whether its client is still there, where no watcher tells it.
LOOK_SECONDS = 0.5


class Admission:
    """The lanes of one worker."""

    def __init__(self, share: Share) -> None:
        self.share = share
        self._lock = threading.Lock()
        self._lanes: dict[Place, Lane[Ticket]] = {}

    def enter(
        self, place: Place, caller: str, *, turns: int = 1, check: Callable[[], object]
    ) -> "Ticket":
        """Return a ticket that runs or waits; whoever has it closes it.

        `check` is called before it waits, and raises what need not wait to be refused. Raises
        RateLimited or Overloaded where no place is left.
        """
        ticket = Ticket(self, caller, turns)
        with self._lock:
            lane = self._lane(place)
            if lane.queue.start(caller, turns):
                ticket._begin(lane, time.monotonic())
                return ticket
        check()
        with self._lock:
            lane = self._lane(place)
            if lane.queue.start(caller, turns):
                ticket._begin(lane, time.monotonic())
            else:
                ticket._join(lane)
        return ticket

    def _lane(self, place: Place) -> "Lane[Ticket]":
        lane = self._lanes.get(place)
        if lane is None:
            if len(self._lanes) >= MOST_LANES:
                self._lanes = {each: it for each, it in self._lanes.items() if not it.idle()}
            lane = self._lanes[place] = Lane(self.share)
        return lane


class Ticket:
    """One request's slot, or its place in the queue.

    | state   | enters by                  | leaves to                                          |
    | ------- | -------------------------- | -------------------------------------------------- |
    | waiting | `Admission.enter`          | running (another's `close`), over (own `close`)    |
    | running | `Admission.enter`, a grant | over (`close`)                                     |
    | over    | `close`                    |                                                    |

    One that runs may have more slots than its own, which `close` gives back as well.

    Every change is made under the worker's lock, so that a slot granted to one that is just
    leaving is passed on, and one is never given back twice.
    """

    __slots__ = (
        "_admission",
        "_called",
        "_caller",
        "_extra",
        "_lane",
        "_left",
        "_since",
        "_state",
        "_turns",
        "position",
        "queued_seconds",
    )

    def __init__(self, admission: Admission, caller: str, turns: int) -> None:
        self._admission = admission
        self._caller = caller
        self._turns = turns
        self._state: Literal["waiting", "running", "over"] = "over"
        self._left = False
        self._called: threading.Event | None = None
        self._extra: set[ExtraSlot] | None = None
        self._lane: Lane[Ticket]
        self._since: float
        # Which one it was to run when it came: None if it never waited.
        self.position: int | None = None
        self.queued_seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def wait(self, gone: Callable[[], bool] | None = None) -> None:
        """Return when it runs, at once if it does.

        Raises Overloaded after QUEUE_TIMEOUT and ClientClosed when `gone` says so, asked twice a
        second, or `leave` was called. In each case, as with any exception thrown into the wait, its
        place is given up.
        """
        if self._called is None:
            return
        try:
            self._wait(self._called, gone)
        except BaseException:
            self.close()
            raise

    def leave(self) -> None:
        """End the wait because the client left; for a watcher, which may be any thread."""
        self._left = True
        self._wake()

    def another(self) -> "ExtraSlot | None":
        """Return one more slot if one is free, and so nobody waits; whoever has it closes it.

        It is charged nothing: `turns` was, and it is taken from nobody.
        """
        queue = self._lane.queue
        if queue.running >= queue.slots:
            return None
        with self._admission._lock:
            if self._state != "running" or not queue.start(self._caller):
                return None
            now = time.monotonic()
            self._lane.started(now)
            slot = ExtraSlot(self, now)
            if self._extra is None:
                self._extra = set()
            self._extra.add(slot)
        return slot

    def close(self) -> None:
        """Give back every slot, or the place; a second call does nothing."""
        with self._admission._lock:
            state, self._state = self._state, "over"
            if state == "over":
                return
            now = time.monotonic()
            if state == "waiting":
                self.queued_seconds = now - self._since
                self._lane.queue.leave(self._caller, self)
                return
            for slot in self._extra or ():
                self._give_back(slot.since, now)
            self._extra = None
            self._give_back(self._since, now)

    def _close_extra(self, slot: "ExtraSlot") -> None:
        with self._admission._lock:
            if self._extra is None or slot not in self._extra:
                return
            self._extra.remove(slot)
            self._give_back(slot.since, time.monotonic())

    def _give_back(self, since: float, now: float) -> None:
        """Called under the lock with the moment from which on a slot was held."""
        self._lane.ended(now - since)
        following = self._lane.queue.end(self._caller)
        if following is not None:
            following._grant(now)

    def _begin(self, lane: "Lane[Ticket]", now: float) -> None:
        self._lane, self._since, self._state = lane, now, "running"
        lane.started(now)

    def _grant(self, now: float) -> None:
        """Called under the lock by the one whose slot this is now."""
        self.queued_seconds = now - self._since
        self._begin(self._lane, now)
        self._wake()

    def _wake(self) -> None:
        if self._called is not None:
            self._called.set()

    def _join(self, lane: "Lane[Ticket]") -> None:
        now = time.monotonic()
        full = lane.queue.full(self._caller)
        if full:
            position = lane.queue.position(self._caller)
            raise no_place(full, lane.estimate(position, now))
        self._called = threading.Event()
        self._lane, self._since, self._state = lane, now, "waiting"
        lane.queue.join(self._caller, self, self._turns)
        self.position = lane.queue.position(self._caller, self)

    def _wait(self, called: threading.Event, gone: Callable[[], bool] | None) -> None:
        deadline = self._since + self._admission.share.timeout_seconds
        while self._state == "waiting" and not self._left:
            seconds = deadline - time.monotonic()
            if seconds <= 0:
                self._check_late()
            called.wait(min(seconds, LOOK_SECONDS) if gone else seconds)
            if gone and gone():
                self._left = True
        if self._left:
            raise ClientClosed

    def _check_late(self) -> None:
        """Raise Overloaded, unless the turn came at the last moment."""
        now = time.monotonic()
        with self._admission._lock:
            if self._state != "waiting":
                return
            position = self._lane.queue.position(self._caller, self)
            seconds = self._lane.estimate(position, now)
        raise no_turn(self._admission.share.timeout_seconds, seconds)


class ExtraSlot:
    """A slot beside that of a ticket, which may be given back before it."""

    __slots__ = ("_ticket", "since")

    def __init__(self, ticket: Ticket, since: float) -> None:
        self._ticket = ticket
        self.since = since

    def close(self) -> None:
        """Give it back; a second call, or one after the ticket's, does nothing."""
        self._ticket._close_extra(self)
