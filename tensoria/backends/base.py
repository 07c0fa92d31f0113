"""What a view may ask of an engine, whichever it is."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias, TypeVar

from tensoria.backends.limits import ENDLESS, Total
from tensoria.translate.traits import Traits
from tensoria.wire.completions import CompletionRequest, TextChunk
from tensoria.wire.openai import ChatRequest, Chunk, EmbeddingRequest, Model, Timings, Usage

AnyChunk = TypeVar("AnyChunk")


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What `/ready` tells: `warnings` do not make an engine unready."""

    kind: str
    version: str | None
    warnings: tuple[str, ...] = ()


class Slot(Protocol):
    """Room for one run of a model."""

    def close(self) -> None:
        """Give it back; a second call does nothing."""
        ...


class Slots(Protocol):
    """Where an answer of several runs finds room for more than one of them at a time."""

    def another(self) -> Slot | None:
        """Return one more slot, if one is free and nobody waits for it; it waits for nobody."""
        ...


class _OwnSlot:
    """The slots of a request that has its own alone."""

    def another(self) -> None:
        """See `Slots.another`."""


OWN_SLOT = _OwnSlot()


@dataclass(frozen=True, slots=True)
class AnswerId:
    """What names one answer: its id, and when it was asked for in Unix seconds.

    `total` is the time for all runs that the answer is made of, and `slots` the room for them.
    """

    id: str
    created: int
    total: Total = ENDLESS
    slots: Slots = OWN_SLOT

    def begun(self, total_seconds: float) -> "AnswerId":
        """Return the same with its time running: its turn has come."""
        return replace(self, total=Total.of(total_seconds))


class AnswerStream(Protocol[AnyChunk]):
    """An open answer: iterating gives blocks of chunks, each what one receive brought.

    A block may be empty (the engine is alive and has nothing to say yet). Iterating raises
    BackendError or RequestError; after the last block `finished` is true. Whoever opened the
    stream closes it; closing an unfinished one frees the engine.
    """

    model: str

    @property
    def adjusted(self) -> dict[str, str]:
        """Return what was adjusted to get the answer, as far as it is known."""
        ...

    @property
    def finished(self) -> bool:
        """Tell whether the finish chunk has come."""
        ...

    @property
    def usage(self) -> Usage | None:
        """Return the counts, once the engine has told them."""
        ...

    @property
    def timings(self) -> Timings:
        """Return how long the engine took, as far as it has told."""
        ...

    def __iter__(self) -> Iterator[list[AnyChunk]]: ...

    def __next__(self) -> list[AnyChunk]: ...

    def close(self) -> None:
        """Give the connection back if the answer was read to its end, else cut it."""
        ...


ChatStream: TypeAlias = AnswerStream[Chunk]
CompletionStream: TypeAlias = AnswerStream[TextChunk]


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of one request in the order of its inputs; `prompt_tokens` is their sum."""

    model: str
    vectors: list[list[float]]
    prompt_tokens: int
    adjusted: dict[str, str] = field(default_factory=dict)


class Explained(Exception):
    """What a dry run would have sent to the engine: a POST of `body` as JSON to `path`.

    `adjusted` is what was changed of the client's request to get there.
    """

    def __init__(self, path: str, body: object) -> None:
        super().__init__(path)
        self.path = path
        self.body = body
        self.adjusted: dict[str, str] = {}


class Adjusting:
    """A context in which a request is sent: what a dry run explains knows what was adjusted."""

    def __init__(self, adjusted: dict[str, str]) -> None:
        self._adjusted = adjusted

    def __enter__(self) -> None:
        """Nothing is adjusted here."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Explained):
            error.adjusted = self._adjusted


class Backend(Protocol):
    """An engine. Every method raises TensoriaError and nothing else."""

    def traits(self, name: str | None) -> Traits:
        """Tell what is known of a model (None: the default one) and of its engine."""
        ...

    def traits_of_engine(self) -> Traits:
        """Tell what is known of the engine where no model is meant: `model` is empty."""
        ...

    def resolve(self, name: str | None, *, embeds: bool = False) -> str:
        """Return the engine's own name of a model (None: the default one), to chat or to embed."""
        ...

    def dry(self) -> "Backend":
        """Return this engine with nothing run: what would be sent is raised as `Explained`."""
        ...

    def chat(self, request: ChatRequest, answer: AnswerId) -> ChatStream:
        """Send a chat to the engine and return when it has begun to answer."""
        ...

    def complete(self, request: CompletionRequest, answer: AnswerId) -> CompletionStream:
        """Send the first prompt to the engine and return when it has begun to answer."""
        ...

    def embed(self, request: EmbeddingRequest) -> Embedded:
        """Return one vector for each input, or raise; no input is cut without a word."""
        ...

    def count(self, request: ChatRequest) -> int | None:
        """Return how many tokens a chat's prompt has; None where the engine cannot count them.

        Nothing is generated, and no slot is needed.
        """
        ...

    def models(self) -> list[Model]:
        """List what is installed, newest first."""
        ...

    def model(self, name: str) -> Model:
        """Return one installed model, in any of the spellings that Ollama takes."""
        ...

    def status(self) -> EngineStatus:
        """Tell whether the engine answers, as of at most two seconds ago."""
        ...
