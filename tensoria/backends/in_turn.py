"""Several runs of the engine that make one answer: one after the other, or at a time."""

from collections.abc import Callable
from typing import Generic, Self

from tensoria.backends.base import AnswerStream, AnyChunk, Slots
from tensoria.backends.runs import Block, Run, Runs
from tensoria.backends.together import Together
from tensoria.translate.completion_chunks import sum_usage
from tensoria.translate.timings import add_up
from tensoria.wire.openai import Timings, Usage


class InTurn(Generic[AnyChunk]):
    """An `AnswerStream`: the chunks of all runs as they come, and the usage of them all.

    The first run is opened at once and before the others, so that its refusal has its true status.
    In the request's own slot they are read by whoever asks for more, one after the other; a run is
    opened only then: what came before it is not held back, nor lost if it fails. As soon as `slots`
    has another, all that go on are read by threads; who asks for more looks for one each time.

    `choices` runs in a row have the same prompt, which is counted once.
    """

    def __init__(
        self,
        open_one: Callable[[int], AnswerStream[AnyChunk]],
        count: int,
        slots: Slots,
        *,
        choices: int,
    ) -> None:
        self._count = count
        self._choices = choices
        self._runs: Runs[AnyChunk] = Runs(open_one, count, slots)
        self._together: Together[AnyChunk] | None = None
        # Of the runs that are over, by their indexes.
        self._usages: dict[int, Usage | None] = {}
        self._timings: list[Timings] = []
        self._adjusted: dict[str, str] = {}
        # What has said something and is not over.
        self._heard: dict[int, AnswerStream[AnyChunk]] = {}
        # What is read right here.
        self._current = self._runs.begin()
        first = self._first(self._current)
        self.model = first.model
        self.finished = False
        self.on_close: Callable[[], None] | None = None

    @property
    def adjusted(self) -> dict[str, str]:
        """Return what was adjusted in any run, up to now: some of it is only known as it goes."""
        adjusted = dict(self._adjusted)
        for stream in self._heard.values():
            adjusted |= stream.adjusted
        return adjusted

    @property
    def usage(self) -> Usage | None:
        """Return the sum over the runs that are over."""
        by_prompt: dict[int, list[Usage | None]] = {}
        for index in sorted(self._usages):
            by_prompt.setdefault(index // self._choices, []).append(self._usages[index])
        if not by_prompt:
            return None
        return sum_usage(sum_usage(each, choices=len(each)) for each in by_prompt.values())

    @property
    def timings(self) -> Timings:
        """Return those of all runs, as far as they are known."""
        return add_up([*self._timings, *(stream.timings for stream in self._heard.values())])

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[AnyChunk]:
        """Return the chunks of the next receive; the usage comes with the last of all."""
        if self.finished:
            raise StopIteration
        self._spread()
        block = self._read() if self._together is None else self._together.next()
        chunks = self._of_run(block.run, block.chunks)
        self._heard[block.run] = block.stream
        if block.over:
            self._add(block.run, self._heard.pop(block.run))
            if len(self._usages) == self._count:
                self.finished = True
                chunks += self._last_chunks()
        return chunks

    def close(self) -> None:
        """Free the engine, whatever of it the runs have; of threads none is waited for."""
        on_close, self.on_close = self.on_close, None
        current, self._current = self._current, None
        try:
            # The threads first, or what ends their runs would be taken for a failure.
            if self._together is not None:
                self._together.close()
            self._runs.stop()
            if current is not None:
                current.close()
        finally:
            if on_close:
                on_close()

    def _first(self, run: Run[AnyChunk] | None) -> AnswerStream[AnyChunk]:
        assert run is not None  # noqa: S101  # says it to mypy: the first has the request's slot
        self._heard[run.index] = stream = run.open()
        return stream

    def _spread(self) -> None:
        """Have each run for which there is a slot now read by a thread."""
        while (run := self._runs.begin()) is not None:
            if self._together is None:
                self._together = Together(self._runs)
            current, self._current = self._current, None
            if current is not None:
                self._together.start(current)
            self._together.start(run)

    def _read(self) -> Block[AnyChunk]:
        """Return the next block of the run that is read here."""
        run = self._current
        if run is None:
            raise StopIteration
        block = run.next()
        if block.over:
            run.close()
            self._current = self._runs.over(run)
        return block

    def _add(self, index: int, stream: AnswerStream[AnyChunk]) -> None:
        self._usages[index] = stream.usage
        self._timings.append(stream.timings)
        self._adjusted |= stream.adjusted

    def _of_run(self, index: int, chunks: list[AnyChunk]) -> list[AnyChunk]:
        """Return what goes out of one run's chunks."""
        return chunks

    def _last_chunks(self) -> list[AnyChunk]:
        """Return what ends the whole answer."""
        return []
