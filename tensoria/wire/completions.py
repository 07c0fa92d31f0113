"""OpenAI's legacy completions, and what Ollama takes for them.

Sources: OpenAI's CreateCompletionRequest and CreateCompletionResponse; Ollama's docs/api.md
(releases 0.9.6 to 0.32.15).
"""

from typing import Literal, NotRequired, TypedDict

from tensoria.wire.generation import Generation
from tensoria.wire.ollama import Options
from tensoria.wire.openai import FinishReason, Usage


class CompletionRequest(Generation):
    """A validated body of POST /v1/completions; what the client left out is absent.

    `prompt` is a list. `raw` (an extension) false asks for the model's chat template around the
    prompt.
    """

    prompt: list[str]
    suffix: NotRequired[str]
    echo: NotRequired[bool]
    raw: NotRequired[bool]
    logprobs: NotRequired[int]


class TextLogprobs(TypedDict):
    """Log probabilities in the older form: lists of one length, an entry a token.

    `top_logprobs` has the likeliest tokens and the chosen one; `text_offset` is where the token
    begins in the choice's text, in characters.
    """

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChunkChoice(TypedDict):
    """What a chunk adds to one choice; `reasoning_content` (an extension) is not its text."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: FinishReason | None
    reasoning_content: NotRequired[str]


class TextChunk(TypedDict):
    """`text_completion`, streamed; `created` in Unix seconds, one for the whole stream.

    `usage` is present only when the client asked for it: null, but for the last chunk, whose
    `choices` are empty.
    """

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[TextChunkChoice]
    usage: NotRequired[Usage | None]


class TextChoice(TypedDict):
    """One finished choice: a continuation of a prompt, in the order of the prompts."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: FinishReason
    reasoning_content: NotRequired[str]


class TextCompletion(TypedDict):
    """`text_completion`, whole. `usage` is absent if the engine told none."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[TextChoice]
    usage: NotRequired[Usage]


class GenerateRequest(TypedDict):
    """POST /api/generate, for one prompt.

    An empty prompt would only load the model. `suffix` needs the capability `insert`, and has no
    effect with `raw`. `truncate`, `shift` and `keep_alive` are those of /api/chat.
    """

    model: str
    prompt: str
    suffix: NotRequired[str]
    raw: bool
    think: bool
    stream: bool
    truncate: bool
    shift: bool
    keep_alive: str | int | float
    options: Options
    logprobs: NotRequired[bool]
    top_logprobs: NotRequired[int]
