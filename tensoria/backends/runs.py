"""The runs of one answer: when each begins, and in whose slot."""

import threading
from collections.abc import Callable
from typing import Generic, NamedTuple

from tensoria.backends.base import AnswerStream, AnyChunk, Slot, Slots
from tensoria.backends.ending import Ending, ended_by

OpenOne = Callable[[int], AnswerStream[AnyChunk]]


class Block(NamedTuple, Generic[AnyChunk]):
    """What one receive brought of one run; `over` says that it is the last."""

    run: int
    stream: AnswerStream[AnyChunk]
    chunks: list[AnyChunk]
    over: bool


class Run(Generic[AnyChunk]):
    """One run: opened when it is first asked for more, by whichever thread reads it.

    One thread at a time reads and closes it. Any may `end` it, which frees the engine at once;
    the one that reads then fails, and closes.
    """

    def __init__(self, index: int, open_one: OpenOne[AnyChunk]) -> None:
        self.index = index
        self.stream: AnswerStream[AnyChunk] | None = None
        self.ending = Ending()
        self._open_one = open_one

    def open(self) -> AnswerStream[AnyChunk]:
        """Return the open stream, and open it where that has not been done."""
        if self.stream is None:
            with ended_by(self.ending):
                self.stream = self._open_one(self.index)
        return self.stream

    def next(self) -> Block[AnyChunk]:
        """Return what the next receive brings."""
        stream = self.stream or self.open()
        with ended_by(self.ending):
            chunks = next(stream)
        return Block(self.index, stream, chunks, stream.finished)

    def close(self) -> None:
        """Close what was opened."""
        if self.stream is not None:
            self.stream.close()


class Runs(Generic[AnyChunk]):
    """Which of `count` runs have begun: one in the request's own slot, others in free ones.

    As many slots are held as runs go on, but the request's own always. With the end of any run a
    slot is given back; the next run has it again unless somebody else waits.
    """

    def __init__(self, open_one: OpenOne[AnyChunk], count: int, slots: Slots) -> None:
        self._open_one = open_one
        self._count = count
        self._slots = slots
        self._lock = threading.Lock()
        self._begun = 0
        self._going_on: set[Run[AnyChunk]] = set()
        self._extra: list[Slot] = []
        self._stopped = False

    def begin(self) -> Run[AnyChunk] | None:
        """Return a run that has a slot now, if there is one; it waits for nobody."""
        if self._begun == self._count:
            return None
        with self._lock:
            return self._begin()

    def over(self, run: Run[AnyChunk]) -> Run[AnyChunk] | None:
        """Give back the slot of a run that was closed, and return the run that follows it."""
        with self._lock:
            self._going_on.discard(run)
            if self._extra:
                self._extra.pop().close()
            return self._begin()

    def stop(self) -> None:
        """Begin no more, end all that go on, and give back all slots but the request's own."""
        with self._lock:
            self._stopped = True
            going_on, self._going_on = self._going_on, set()
            extra, self._extra = self._extra, []
        for run in going_on:
            run.ending.end()
        for slot in extra:
            slot.close()

    def _begin(self) -> Run[AnyChunk] | None:
        if self._stopped or self._begun == self._count:
            return None
        if self._going_on:
            slot = self._slots.another()
            if slot is None:
                return None
            self._extra.append(slot)
        run = Run(self._begun, self._open_one)
        self._begun += 1
        self._going_on.add(run)
        return run
