"""The kinds of expectation."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text too long to write out: how it begins and ends, and its length in characters."""

    begins: str
    ends: str
    characters: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Status 200: this text, for this reason, with these counts of tokens."""

    text: str | Excerpt
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Thought:
    """Status 200: these thoughts before the answer, to a request with this `think`."""

    thoughts: str
    answer: Answer
    think: bool | str | None = None


@dataclass(frozen=True, slots=True)
class Called:
    """A chat with these messages and tools is answered with calls and no text.

    A call is the function's name and its arguments as JSON; `ids` are the engine's own, of which
    those before 0.12.10 have none (None: the gateway made one). `messages` are what a client sends,
    and must go up as the recording has them; without them the recording's own are sent.
    """

    calls: tuple[tuple[str, str], ...]
    ids: tuple[str | None, ...]
    prompt_tokens: int
    completion_tokens: int
    messages: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """An error before the first chunk: its true status, streaming or not.

    `says` are words that the message must hold. `at` are the engine's paths that answer with the
    recording; with /api/tags among them the model list is asked for as well.
    """

    status: int
    code: str
    param: str | None = None
    says: tuple[str, ...] = ()
    at: tuple[str, ...] = ("/api/chat",)


@dataclass(frozen=True, slots=True)
class Embedded:
    """POST /v1/embeddings with these inputs: so many numbers each, of which the first are these.

    `dimensions` is what the client asks for.
    """

    inputs: tuple[str, ...]
    firsts: tuple[tuple[float, float], ...]
    length: int
    prompt_tokens: int
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class NotEmbedded:
    """POST /v1/embeddings of one text is refused, or fails, with its true status."""

    refusal: Refused


@dataclass(frozen=True, slots=True)
class Broken:
    """A stream that breaks: this text, then an error event and no [DONE].

    Not streaming it is the error alone, with its status.
    """

    text: str
    status: int
    code: str


@dataclass(frozen=True, slots=True)
class ModelList:
    """GET /v1/models: these ids in any order, all made in one second and owned by one owner.

    `told` is what the list alone tells of them: the trained context in tokens and capabilities.
    """

    ids: frozenset[str]
    created: int
    owned_by: str
    told: Mapping[str, tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Ready:
    """GET /ready: 200, this version of the engine; a warning when it cannot refuse overflows."""

    version: str
    warned: bool


@dataclass(frozen=True, slots=True)
class Context:
    """What /api/ps tells of the context in use: the number that an overflow's message names.

    None: the message names no number, and the code is the same.
    """

    tokens: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """What /api/show tells, together with what the same engine's /api/chat would answer.

    `chat` names the recording for /api/chat, None the fake's own "Hello". `temperature` is what
    must go up to the engine when the client names none. `trained` (tokens) and `capabilities` are
    what /v1/models then shows.
    """

    outcome: Answer | Refused
    chat: str | None = None
    temperature: float | None = None
    trained: int | None = None
    capabilities: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """What POST /v1/completions makes of an answer of /api/generate."""

    outcome: Answer | Refused


@dataclass(frozen=True, slots=True)
class Formed:
    """An answer to a client that asks for the same form as the recorded request did."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Forced:
    """An answer under the schema of a forced call: this call, with these counts of tokens."""

    name: str
    arguments: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What is made of an answer with log probabilities, for a request with these fields.

    For each token its text, its log probability, and those of the likeliest in its place.
    """

    asked: dict[str, object]
    outcome: Answer | Refused
    tokens: tuple[tuple[str, float, dict[str, float]], ...] = ()


@dataclass(frozen=True, slots=True)
class NotAsked:
    """The gateway never asks this: the recording is what the fake's own answer must equal."""


Expectation = (
    Answer
    | Thought
    | Called
    | Refused
    | Embedded
    | NotEmbedded
    | Broken
    | ModelList
    | Ready
    | Context
    | Told
    | Completed
    | Formed
    | Forced
    | Judged
    | NotAsked
)
ByRelease = Mapping[str, Expectation]

A, B, C = "0.9.6", "0.24.0", "0.32.15"


def everywhere(expectation: Expectation) -> ByRelease:
    """The same for the three releases."""
    return dict.fromkeys((A, B, C), expectation)
