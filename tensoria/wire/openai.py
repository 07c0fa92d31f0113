"""OpenAI's vocabulary, which is the house language (platform.openai.com/docs/api-reference)."""

from typing import Any, Literal, NotRequired, TypedDict

from tensoria.wire.content import ContentPart
from tensoria.wire.extensions import Thinking
from tensoria.wire.generation import Generation
from tensoria.wire.response_format import ResponseFormat as ResponseFormat
from tensoria.wire.tools import Tool as Tool
from tensoria.wire.tools import ToolCall as ToolCall
from tensoria.wire.tools import ToolCallDelta as ToolCallDelta

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


class Message(TypedDict):
    """One message of a request after validation: its content is one string.

    A result (`tool`, `function`) names its function and its call, as far as they are known.
    `parts` is there where it holds images: its texts, and these, in their order.
    """

    role: str
    content: str
    name: NotRequired[str]
    tool_call_id: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    reasoning_content: NotRequired[str]
    parts: NotRequired[list[ContentPart]]


class ChatRequest(Generation, Thinking):
    """A validated body of POST /v1/chat/completions; what the client left out is absent.

    `tool_choice` is there only for a call that is forced ("required", or the named function), and
    `parallel_tool_calls` only when false; both only beside `tools`. Of the spellings of an effort
    (`reasoning_effort`, and those of `Thinking`) at most one is there.
    """

    messages: list[Message]
    tools: NotRequired[list[Tool]]
    tool_choice: NotRequired[Any]
    parallel_tool_calls: NotRequired[bool]
    response_format: NotRequired[ResponseFormat]
    logprobs: NotRequired[bool]
    top_logprobs: NotRequired[int]
    reasoning_effort: NotRequired[str]


class PromptTokensDetails(TypedDict):
    """Of the prompt's tokens, those that the engine had in its cache."""

    cached_tokens: int


class Usage(TypedDict):
    """Counts of tokens; the details are there if the engine told them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: NotRequired[PromptTokensDetails]


class Timings(TypedDict, total=False):
    """An extension: how long each phase of an answer took in milliseconds, as far as is known.

    `first_token_ms` and `total_ms` are the gateway's own, since it had the request's head;
    `queue_ms` is what they hold of waiting for a slot.
    """

    load_ms: float
    prefill_ms: float
    prefill_tokens_per_second: float
    decode_ms: float
    decode_tokens_per_second: float
    first_token_ms: float
    total_ms: float
    queue_ms: float


class TopLogprob(TypedDict):
    """A token that could have stood there; `bytes` are its UTF-8, null where it has none."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(TopLogprob):
    """A token of the answer, and the likeliest ones in its place."""

    top_logprobs: list[TopLogprob]


class Logprobs(TypedDict):
    """The log probabilities of a choice's tokens."""

    content: list[TokenLogprob]
    refusal: None


class Delta(TypedDict, total=False):
    """What a chunk adds. `reasoning` repeats `reasoning_content`: clients read either."""

    role: Literal["assistant"]
    content: str
    reasoning_content: str
    reasoning: str
    tool_calls: list[ToolCallDelta]


class ChunkChoice(TypedDict):
    """A chunk's part of one choice.

    `stop_reason` is an extension of vLLM's: beside the finish reason, the stop string that was it.
    """

    index: int
    delta: Delta
    logprobs: Logprobs | None
    finish_reason: FinishReason | None
    stop_reason: NotRequired[str]


class Chunk(TypedDict):
    """`chat.completion.chunk`; `created` in Unix seconds, one for the whole stream.

    `usage` is present only when the client asked for it: null, but for the last chunk, whose
    `choices` are empty.
    """

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[ChunkChoice]
    usage: NotRequired[Usage | None]


class AnswerMessage(TypedDict):
    """The assistant's whole message; `content` is null where it only calls tools."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: NotRequired[list[ToolCall]]
    reasoning_content: NotRequired[str]
    reasoning: NotRequired[str]


class Choice(TypedDict):
    """One finished choice."""

    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: FinishReason


class Completion(TypedDict):
    """`chat.completion`; `created` in Unix seconds. `usage` is absent if the engine told none."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[Choice]
    usage: NotRequired[Usage]


class EmbeddingRequest(TypedDict):
    """A validated body of POST /v1/embeddings; `input` is a list, also for one text."""

    input: list[str]
    model: NotRequired[str]
    dimensions: NotRequired[int]
    encoding_format: NotRequired[Literal["float", "base64"]]
    user: NotRequired[str]
    keep_alive: NotRequired[str | int | float]
    options: NotRequired[dict[str, Any]]


class Embedding(TypedDict):
    """The vector of one input: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    """Counts of tokens; an embedding has no completion."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(TypedDict):
    """The answer of POST /v1/embeddings."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class Model(TypedDict):
    """One entry of GET /v1/models; `created` in Unix seconds.

    The others are extensions, present when they are known: `context_length` (tokens, in use),
    `trained_context_length`, `capabilities` in Ollama's words, and the model that an alias means.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    context_length: NotRequired[int]
    trained_context_length: NotRequired[int]
    capabilities: NotRequired[list[str]]
    alias_of: NotRequired[str]


class ModelList(TypedDict):
    """The answer of GET /v1/models."""

    object: Literal["list"]
    data: list[Model]
