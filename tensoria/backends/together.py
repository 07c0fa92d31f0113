"""Several runs of one answer at a time, each read by a thread of its own."""

import threading
from collections import deque
from contextvars import copy_context
from typing import Generic

from tensoria.backends.base import AnyChunk
from tensoria.backends.runs import Block, Run, Runs

# A block is what one receive brought, so at most 64 kB: a client that reads slowly has the engine
# wait after a megabyte.
MOST_BLOCKS = 16
THREAD = "run-of-an-answer"


class _Unwanted(Exception):
    """Nobody takes any more blocks."""


class Together(Generic[AnyChunk]):
    """Takes blocks from threads, in the order in which they came.

    | state | entered by                | `next`                         | a thread               |
    | ----- | ------------------------- | ------------------------------ | ---------------------- |
    | open  | creation                  | waits for a block              | reads, waits for room  |
    | ended | a run that fails, `close` | the blocks left, then why       | closes its run, leaves |

    The thread that fails ends the other runs itself: whoever takes the blocks may be slow. A thread
    that reads is woken by the end of its connection, so that ending waits for none.
    """

    def __init__(self, runs: Runs[AnyChunk]) -> None:
        self._runs = runs
        self._blocks: deque[Block[AnyChunk]] = deque()
        self._end: BaseException | None = None
        lock = threading.Lock()
        self._arrived = threading.Condition(lock)
        self._room = threading.Condition(lock)

    def start(self, run: Run[AnyChunk]) -> None:
        """Have a run read by a thread, which closes it; RuntimeError when none can be had."""
        # With the context, because its log lines are the request's.
        thread = threading.Thread(
            target=copy_context().run, args=(self._work, run), name=THREAD, daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            run.close()
            raise

    def next(self) -> Block[AnyChunk]:
        """Return the next block of any run; raises the error of the first that failed."""
        with self._arrived:
            while not self._blocks:
                if self._end is not None:
                    raise self._end
                self._arrived.wait()
            self._room.notify()
            return self._blocks.popleft()

    def close(self) -> None:
        """Send the threads home, and forget what nobody took; their runs go on till stopped."""
        self._ended(StopIteration())
        self._blocks.clear()

    def _work(self, run: Run[AnyChunk] | None) -> None:
        """Read a run, and those that follow it, as long as there is a slot for them."""
        try:
            while run is not None:
                run = self._read(run)
        except _Unwanted:
            return
        except BaseException as error:  # noqa: BLE001  # whoever waits for a block is told
            if self._ended(error):
                self._runs.stop()

    def _read(self, run: Run[AnyChunk]) -> Run[AnyChunk] | None:
        """Pass on the blocks of a run, and return the one that follows it."""
        over = False
        try:
            while not over:
                if run.ending.ended:
                    raise _Unwanted
                block = run.next()
                over = block.over
                if not over:
                    self._put(block)
        finally:
            run.close()
        # First of all: whoever waits for a slot is not made to wait for this answer's client.
        following = self._runs.over(run)
        self._put(block)
        return following

    def _put(self, block: Block[AnyChunk]) -> None:
        with self._room:
            while len(self._blocks) >= MOST_BLOCKS and self._end is None:
                self._room.wait()
            if self._end is not None:
                raise _Unwanted
            self._blocks.append(block)
            self._arrived.notify()

    def _ended(self, error: BaseException) -> bool:
        """Note why no more is to come, and tell whether that was the first reason."""
        with self._room:
            if self._end is not None:
                return False
            self._end = error
            self._arrived.notify()
            self._room.notify_all()
            return True
