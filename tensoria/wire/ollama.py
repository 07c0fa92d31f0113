"""Ollama's native API (github.com/ollama/ollama, docs/api.md; releases 0.9.6 to 0.32.15).

Durations are in nanoseconds, counts in tokens. Metrics that are zero are left out on the wire.
"""

from typing import Any, NotRequired, TypedDict


class ToolCallFunction(TypedDict):
    """A call's function. `arguments` is an object: a string is a 400."""

    index: NotRequired[int]
    name: str
    arguments: dict[str, Any]


class ToolCall(TypedDict):
    """A call. `id` is there since 0.12.10, and may be empty or absent."""

    id: NotRequired[str]
    function: ToolCallFunction


class ChatMessage(TypedDict):
    """A message of a request; `images` are base64."""

    role: str
    content: str
    thinking: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    tool_name: NotRequired[str]
    tool_call_id: NotRequired[str]
    images: NotRequired[list[str]]


class Options(TypedDict, total=False):
    """`options` of a request. A wrong type is a 500 at Ollama, a changed num_ctx a reload."""

    num_predict: int
    num_ctx: int
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    seed: int
    stop: list[str]
    top_k: int
    min_p: float
    repeat_penalty: float
    typical_p: float
    repeat_last_n: int
    mirostat: int
    mirostat_eta: float
    mirostat_tau: float


class ToolFunction(TypedDict):
    """A function. Of `parameters` Ollama keeps few members: see `translate.tool_schemas`."""

    name: str
    description: NotRequired[str]
    parameters: dict[str, Any]


class Tool(TypedDict):
    """A tool that is offered to the model."""

    type: str
    function: ToolFunction


class ChatRequest(TypedDict):
    """POST /api/chat.

    `truncate` and `shift` false (0.12.6 and later; older releases ignore them) make an overflow
    an error. `keep_alive`: seconds as a number, or a Go duration such as "5m".
    `think`: true or false (0.9.0 and later), or a level (0.11.0 for gpt-oss, 0.17.7 for all).
    """

    model: str
    messages: list[ChatMessage]
    stream: bool
    truncate: bool
    shift: bool
    think: NotRequired[bool | str]
    keep_alive: str | int | float
    options: Options
    format: NotRequired[str | dict[str, Any]]
    tools: NotRequired[list[Tool]]
    logprobs: NotRequired[bool]
    top_logprobs: NotRequired[int]


class EmbedOptions(TypedDict):
    """`options` of embeddings, and of a load: the context in tokens, constant as in a chat."""

    num_ctx: int


class EmbedRequest(TypedDict):
    """POST /api/embed. `truncate` false makes an input over the context an error (every release).

    `dimensions` cuts and normalises anew (0.11.11 and later; older releases ignore it).
    """

    model: str
    input: list[str]
    truncate: bool
    keep_alive: str | int | float
    dimensions: NotRequired[int]
    options: NotRequired[EmbedOptions]


class LoadRequest(TypedDict):
    """POST /api/chat, /api/generate or /api/embed with nothing in it: loads the model.

    The answer comes when it is there, as one object also where a stream is asked for.
    """

    model: str
    stream: bool
    keep_alive: str | int | float
    messages: NotRequired[list[ChatMessage]]
    prompt: NotRequired[str]
    input: NotRequired[list[str]]
    shift: NotRequired[bool]
    options: NotRequired[EmbedOptions]


class UnloadRequest(TypedDict):
    """POST /api/generate without a prompt and with a `keep_alive` of 0."""

    model: str
    keep_alive: int


class ListedDetails(TypedDict, total=False):
    """What is used of `details` in /api/tags: the trained context in tokens (0.30 and later)."""

    context_length: int


class ModelEntry(TypedDict):
    """One entry of GET /api/tags; `modified_at` is RFC 3339 with up to nine fraction digits."""

    name: str
    modified_at: str
    digest: NotRequired[str]
    remote_host: NotRequired[str]
    capabilities: NotRequired[list[str]]
    details: NotRequired[ListedDetails]


class RunningModel(TypedDict):
    """One entry of GET /api/ps; `context_length` in tokens (0.10.0 and later), sizes in bytes."""

    name: str
    size: NotRequired[int]
    size_vram: NotRequired[int]
    context_length: NotRequired[int]


class ModelDetails(TypedDict, total=False):
    """What is used of POST /api/show: `parameters` is text, one `key   value` a line.

    `model_info` holds the trained context in tokens under `<architecture>.context_length`.
    """

    parameters: str
    capabilities: list[str]
    model_info: dict[str, object]
