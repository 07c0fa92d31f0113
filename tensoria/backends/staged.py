"""A chat whose chunks go through pure stages on their way out."""

from collections.abc import Sequence
from typing import Protocol, Self

from tensoria.backends.base import ChatStream
from tensoria.errors import TensoriaError
from tensoria.wire.openai import Chunk, Timings, Usage


class Stage(Protocol):
    """Blocks of chunks in, blocks of chunks out; see `translate/` for those that exist.

    A stage may hold chunks back, but gives all of them out by the finish chunk, which it passes on
    (or replaces) itself. Once `error` is set, nothing comes out any more.
    """

    error: TensoriaError | None

    def feed(self, chunks: list[Chunk]) -> list[Chunk]: ...


class StagedStream:
    """A `ChatStream` over another one: what a stage refuses ends it with that error."""

    def __init__(self, stream: ChatStream, stages: Sequence[Stage]) -> None:
        self._stream = stream
        self._stages = stages
        self._error: TensoriaError | None = None
        self.model = stream.model
        self.adjusted = stream.adjusted

    @property
    def finished(self) -> bool:
        """Tell whether the finish chunk has come and every stage let it pass."""
        return self._stream.finished and self._error is None

    @property
    def usage(self) -> Usage | None:
        return self._stream.usage

    @property
    def timings(self) -> Timings:
        return self._stream.timings

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[Chunk]:
        """Return the chunks of the next receive; what came before an error comes first."""
        if self._error:
            raise self._error
        chunks = next(self._stream)
        for stage in self._stages:
            chunks = stage.feed(chunks)
            if stage.error:
                self._error = stage.error
                break
        if self._error and not chunks:
            raise self._error
        return chunks

    def close(self) -> None:
        self._stream.close()
