"""A chat whose answer must have a form: asked for again where that is allowed, and checked."""

from collections.abc import Callable
from typing import Self

from tensoria.backends.base import ChatStream
from tensoria.backends.staged import StagedStream
from tensoria.errors import StructuredOutputInvalid
from tensoria.translate.completion_chunks import sum_usage
from tensoria.translate.structured import FormCheck, to_attempts
from tensoria.wire.openai import ChatRequest, Chunk, Timings, Usage


class StructuredStream:
    """A `ChatStream` over attempts in turn: the first answer that has its form is the answer.

    An answer that another may replace is held back until it is checked, so that nobody sees
    anything of one that is thrown away. With `retry` the last one is held back as well: then what
    comes out fits, and what does not is a plain error. Without, the last one streams, and ends in
    an error event if it misses. The usage is that of all attempts.
    """

    def __init__(
        self, open_one: Callable[[ChatRequest], ChatStream], request: ChatRequest, *, retry: bool
    ) -> None:
        self._open_one = open_one
        self._format = request["response_format"]
        self._holds = retry
        self._attempts = to_attempts(request, retry=retry)
        self._usages: list[Usage | None] = []
        self._current = self._open()
        self.model = self._current.model
        self.adjusted = self._current.adjusted

    @property
    def finished(self) -> bool:
        return self._current.finished

    @property
    def usage(self) -> Usage | None:
        """Return the sum over all attempts, the one that runs included."""
        if not self._usages:
            return self._current.usage
        return sum_usage([*self._usages, self._current.usage])

    @property
    def timings(self) -> Timings:
        """Return those of the attempt that runs: it is the one that answers."""
        return self._current.timings

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[Chunk]:
        """Return the chunks of the next receive; an empty block while an answer is held back."""
        try:
            chunks = next(self._current)
        except StructuredOutputInvalid:
            if not self._attempts:
                raise
            missed = self._current
            missed.close()
            self._current = self._open()
            self._usages.append(missed.usage)
            self.adjusted = self._current.adjusted
            return []
        if self._usages:
            self._sum(chunks)
        return chunks

    def close(self) -> None:
        self._current.close()

    def _open(self) -> StagedStream:
        attempt = self._attempts.pop(0)
        holds = self._holds or bool(self._attempts)
        return StagedStream(self._open_one(attempt), [FormCheck(self._format, holds=holds)])

    def _sum(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            if chunk.get("usage"):
                chunk["usage"] = self.usage
