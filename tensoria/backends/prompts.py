"""Several prompts, one answer: the engine runs them one after the other."""

from collections.abc import Callable
from typing import Self

from tensoria.backends.stream import EngineStream
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import sum_usage, to_usage_chunks
from tensoria.wire.completions import TextChunk
from tensoria.wire.openai import Timings, Usage


class PromptStream:
    """A `CompletionStream`: an open stream for each prompt in turn, and the usage of them all.

    The first prompt is opened at once, so that its refusal has its true status. A prompt is opened
    only when somebody asks for more: what came before it is not held back, nor lost if it fails.
    """

    def __init__(
        self, open_one: Callable[[int], EngineStream[TextChunk]], count: int, frame: Frame
    ) -> None:
        self._open_one = open_one
        self._count = count
        self._frame = frame
        self._usages: list[Usage | None] = []
        self._current = open_one(0)
        self.model = self._current.model
        self.adjusted = dict(self._current.adjusted)
        self.finished = False
        self.on_close: Callable[[], None] | None = None

    @property
    def usage(self) -> Usage | None:
        """Return the sum over the prompts that are over."""
        return sum_usage(self._usages) if self._usages else None

    @property
    def timings(self) -> Timings:
        """Return those of the prompt that ran last."""
        return self._current.timings

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[TextChunk]:
        """Return the chunks of the next receive; the usage comes with the last of all."""
        if self.finished:
            raise StopIteration
        if self._current.finished:
            self._current = self._open_one(len(self._usages))
            self.adjusted |= self._current.adjusted
        chunks = next(self._current)
        if self._current.finished:
            self._current.close()
            self._usages.append(self._current.usage)
            if len(self._usages) == self._count:
                self.finished = True
                chunks += to_usage_chunks(self._frame, self.usage)
        return chunks

    def close(self) -> None:
        on_close, self.on_close = self.on_close, None
        try:
            self._current.close()
        finally:
            if on_close:
                on_close()
