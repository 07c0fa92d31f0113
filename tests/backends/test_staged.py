"""Stages over a stream: what they hold back, and what they refuse."""

from collections.abc import Iterator
from typing import Any

import pytest

from tensoria.backends.staged import StagedStream
from tensoria.errors import BackendError, TensoriaError


class Blocks:
    """A stream of blocks that a test wrote; finished with its last one."""

    def __init__(self, *blocks: list[str]) -> None:
        self.blocks = list(blocks)
        self.model = "m"
        self.adjusted = {"max_tokens": "8"}
        self.usage = {"prompt_tokens": 1}
        self.closed = 0

    @property
    def finished(self) -> bool:
        return not self.blocks

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        if not self.blocks:
            raise StopIteration
        return self.blocks.pop(0)

    def close(self) -> None:
        self.closed += 1


class Upper:
    """Refuses "x", and writes the rest in capitals."""

    def __init__(self) -> None:
        self.error: TensoriaError | None = None

    def feed(self, chunks: list[Any]) -> list[Any]:
        if "x" in chunks:
            self.error = BackendError("an x")
            return [chunk.upper() for chunk in chunks[: chunks.index("x")]]
        return [chunk.upper() for chunk in chunks]


class Twice:
    """Says everything twice."""

    error: TensoriaError | None = None

    def feed(self, chunks: list[Any]) -> list[Any]:
        return [chunk for chunk in chunks for _ in range(2)]


def staged(*blocks: list[str], stages: tuple[Any, ...] = ()) -> Any:
    return StagedStream(Blocks(*blocks), stages or (Upper(),))  # type: ignore[arg-type]


def test_chunks_go_through_the_stages_in_their_order() -> None:
    assert list(staged(["a"], [], ["b"], stages=(Upper(), Twice()))) == [
        ["A", "A"],
        [],
        ["B", "B"],
    ]


def test_what_came_before_a_refusal_comes_out_first() -> None:
    stream = staged(["a", "x", "b"])

    assert next(stream) == ["A"]
    assert not stream.finished
    with pytest.raises(BackendError, match="an x"):
        next(stream)


def test_refusal_of_a_whole_block_is_raised_at_once() -> None:
    with pytest.raises(BackendError, match="an x"):
        next(staged(["x"]))


def test_the_rest_is_the_streams_own() -> None:
    stream = staged(["a"])
    assert not stream.finished
    next(stream)
    stream.close()

    assert stream.finished
    assert (stream.model, stream.adjusted) == ("m", {"max_tokens": "8"})
    assert stream.usage == {"prompt_tokens": 1}
    assert stream._stream.closed == 1
