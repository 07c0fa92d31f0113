"""One response that goes on without its request, as its own worker sees it."""

import threading
from collections.abc import Callable, Sequence

from tensoria.memory.events import Event
from tensoria.memory.responses import Body


class Run:
    """Its object as it is now, and its events, kept until its end is written.

    | state   | after           | its object is       | who follows                  |
    | ------- | --------------- | ------------------- | ---------------------------- |
    | going   | its creation    | queued, in progress | waits for the next events    |
    | ended   | its last event  | the final one       | has all events, and is told  |
    """

    def __init__(self, owner: str, body: Body, worker: str) -> None:
        self.owner = owner
        self.id: str = body["id"]
        self.worker = worker
        self.cancelled = False
        self.end: Callable[[], None] = _nothing
        self._changed = threading.Condition()
        self._body = body
        self._events: list[Event] = []
        self._ended = False
        # How much of it the file has.
        self._written = 0
        self._body_written = True

    @property
    def body(self) -> Body:
        """Return the response as it is now."""
        return self._body

    def events(self) -> list[Event]:
        """Return all events until now."""
        with self._changed:
            return list(self._events)

    def publish(
        self, events: Sequence[Event], body: Body | None = None, *, last: bool = False
    ) -> None:
        """Add events; a body is what the response has become. Nothing follows the last."""
        with self._changed:
            self._events += events
            self._ended = last
            if body is not None:
                self._body = body
                self._body_written = False
            self._changed.notify_all()

    def after(self, number: int, seconds: float) -> tuple[list[Event], bool]:
        """Return the events behind the one of this number, and whether they are the last.

        Waits at most so long for the first of them.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._events) > number + 1, seconds)
            found = self._events[number + 1 :]
            if self._ended and not found:
                # Said once more, so that no stream ends without it.
                found = [{**self._events[-1], "sequence_number": number + 1}]
            return found, self._ended

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long; tell whether it has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, seconds)

    def cancel(self) -> None:
        """Have the run end; a second call, or one after its end, does nothing."""
        with self._changed:
            if self.cancelled or self._ended:
                return
            self.cancelled = True
        self.end()

    def unwritten(self) -> tuple[list[Event], Body | None, Callable[[], None]]:
        """Return what the file does not have, and what is called when it has it."""
        with self._changed:
            events = self._events[self._written :]
            body = None if self._body_written else self._body
            count = len(self._events)

        def written() -> None:
            with self._changed:
                self._written = count
                self._body_written = self._body_written or self._body is body

        return events, body, written


def _nothing() -> None:
    """What cannot be ended yet goes on."""
