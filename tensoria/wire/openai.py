"""OpenAI's vocabulary, which is the house language (platform.openai.com/docs/api-reference)."""

from typing import Literal, NotRequired, TypedDict

FinishReason = Literal["stop", "length", "content_filter"]


class Message(TypedDict):
    """One message of a request after validation: its content is one string."""

    role: str
    content: str
    name: NotRequired[str]
    tool_call_id: NotRequired[str]


class StreamOptions(TypedDict, total=False):
    """`stream_options` of a request."""

    include_usage: bool


class ChatRequest(TypedDict):
    """A validated body of POST /v1/chat/completions; what the client left out is absent.

    `stop` is a list, `max_tokens` holds the smaller of both spellings of the limit (in tokens).
    """

    messages: list[Message]
    model: NotRequired[str]
    stream: NotRequired[bool]
    stream_options: NotRequired[StreamOptions]
    temperature: NotRequired[float]
    top_p: NotRequired[float]
    max_tokens: NotRequired[int]
    max_completion_tokens: NotRequired[int]
    stop: NotRequired[list[str]]
    seed: NotRequired[int]
    presence_penalty: NotRequired[float]
    frequency_penalty: NotRequired[float]
    user: NotRequired[str]


class Usage(TypedDict):
    """Counts of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Delta(TypedDict, total=False):
    """What a chunk adds. `reasoning` repeats `reasoning_content`: clients read either."""

    role: Literal["assistant"]
    content: str
    reasoning_content: str
    reasoning: str


class ChunkChoice(TypedDict):
    """A chunk's part of one choice."""

    index: int
    delta: Delta
    logprobs: None
    finish_reason: FinishReason | None


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
    """The assistant's whole message."""

    role: Literal["assistant"]
    content: str
    refusal: None
    reasoning_content: NotRequired[str]
    reasoning: NotRequired[str]


class Choice(TypedDict):
    """One finished choice."""

    index: int
    message: AnswerMessage
    logprobs: None
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

    `context_length` (tokens) is an extension, present when the length in use is known.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    context_length: NotRequired[int]


class ModelList(TypedDict):
    """The answer of GET /v1/models."""

    object: Literal["list"]
    data: list[Model]
