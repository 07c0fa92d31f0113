"""Several choices of one request: no engine is asked for `n`, because Ollama has no such thing,
and llama.cpp's server counts only the first choice in its usage."""

import secrets
from collections.abc import Callable
from typing import Any, TypeVar, cast

from tensoria.backends.base import ChatStream, Slots
from tensoria.backends.in_turn import InTurn
from tensoria.errors import InvalidRequest
from tensoria.wire.completions import CompletionRequest
from tensoria.wire.openai import ChatRequest, Chunk

AnyRequest = TypeVar("AnyRequest", ChatRequest, CompletionRequest)

MOST_SEED = 2**63 - 1
# Engines keep seeds in 32 bits, and -1 means "any".
ANY_SEED = -1
SEEDS = 2**31


def each_choice(request: AnyRequest, most: int) -> list[AnyRequest]:
    """Return a request for each choice: without `n`, and each with a seed of its own.

    The seeds are the client's and those after it; without one they begin anywhere. Raises
    InvalidRequest when more than `most` are asked for.
    """
    fields = cast("dict[str, Any]", request)
    if "n" not in fields:
        return [request]
    count = fields["n"]
    if count > most:
        raise InvalidRequest(
            f"'n' may be at most {most} here (MAX_CHOICES), got {count}.", param="n"
        )
    first = fields.get("seed", ANY_SEED)
    if first == ANY_SEED:
        first = secrets.randbelow(SEEDS - count)
    alone = {name: value for name, value in fields.items() if name != "n"}
    return [cast("AnyRequest", {**alone, "seed": _seed(first, index)}) for index in range(count)]


def _seed(first: int, index: int) -> int:
    """Return a seed that no other choice has; above the largest they go down."""
    seed = first + index
    return seed if seed <= MOST_SEED else first - index


class ChoiceStream(InTurn[Chunk]):
    """A `ChatStream` of several: each choice has its own index, and the usage is that of all."""

    def __init__(
        self, open_one: Callable[[int], ChatStream], count: int, id_: str, slots: Slots
    ) -> None:
        super().__init__(open_one, count, slots, choices=count)
        self._id = id_
        self._usage_chunk: Chunk | None = None

    def _of_run(self, index: int, chunks: list[Chunk]) -> list[Chunk]:
        """Number the choices under one id; the usage of one choice is not told."""
        told = []
        for chunk in chunks:
            chunk["id"] = self._id
            if not chunk["choices"]:
                self._usage_chunk = chunk
                continue
            for choice in chunk["choices"]:
                choice["index"] = index
            told.append(chunk)
        return told

    def _last_chunks(self) -> list[Chunk]:
        usage = self.usage
        if self._usage_chunk is None or usage is None:
            return []
        return [{**self._usage_chunk, "usage": usage}]
