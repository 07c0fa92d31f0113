"""Several runs of the engine that make one answer, one after the other."""

from collections.abc import Callable
from typing import Generic, Self

from tensoria.backends.base import AnswerStream, AnyChunk
from tensoria.translate.completion_chunks import sum_usage
from tensoria.translate.timings import add_up
from tensoria.wire.openai import Timings, Usage


class InTurn(Generic[AnyChunk]):
    """An `AnswerStream`: an open stream for each run in turn, and the usage of them all.

    The first run is opened at once, so that its refusal has its true status. A run is opened only
    when somebody asks for more: what came before it is not held back, nor lost if it fails. This
    is also the place to have several open at a time, once it is known how many may run.

    `choices` runs in a row have the same prompt, which is counted once.
    """

    def __init__(
        self, open_one: Callable[[int], AnswerStream[AnyChunk]], count: int, *, choices: int
    ) -> None:
        self._open_one = open_one
        self._count = count
        self._choices = choices
        self._usages: list[Usage | None] = []
        # Of the runs before the current one.
        self._timings: list[Timings] = []
        self._current = open_one(0)
        self.model = self._current.model
        self._adjusted: dict[str, str] = {}
        self.finished = False
        self.on_close: Callable[[], None] | None = None

    @property
    def adjusted(self) -> dict[str, str]:
        """Return what was adjusted in any run, up to now: some of it is only known as it goes."""
        return self._adjusted | self._current.adjusted

    @property
    def usage(self) -> Usage | None:
        """Return the sum over the runs that are over."""
        return sum_usage(self._usages, choices=self._choices) if self._usages else None

    @property
    def timings(self) -> Timings:
        """Return those of all runs, as far as they are known."""
        return add_up([*self._timings, self._current.timings])

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[AnyChunk]:
        """Return the chunks of the next receive; the usage comes with the last of all."""
        if self.finished:
            raise StopIteration
        if self._current.finished:
            following = self._open_one(len(self._usages))
            self._timings.append(self._current.timings)
            self._current = following
        chunks = self._of_run(len(self._usages), next(self._current))
        if self._current.finished:
            self._current.close()
            self._adjusted |= self._current.adjusted
            self._usages.append(self._current.usage)
            if len(self._usages) == self._count:
                self.finished = True
                chunks += self._last_chunks()
        return chunks

    def close(self) -> None:
        """Free the engine: only the run that is open has it."""
        on_close, self.on_close = self.on_close, None
        try:
            self._current.close()
        finally:
            if on_close:
                on_close()

    def _of_run(self, index: int, chunks: list[AnyChunk]) -> list[AnyChunk]:
        """Return what goes out of one run's chunks."""
        return chunks

    def _last_chunks(self) -> list[AnyChunk]:
        """Return what ends the whole answer."""
        return []
