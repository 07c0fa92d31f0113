"""The vocabulary of POST /v1/responses (platform.openai.com/docs/api-reference/responses)."""

from typing import Any, Literal, NotRequired, TypedDict

from tensoria.wire.extensions import Sampling, Thinking
from tensoria.wire.response_format import ResponseFormat
from tensoria.wire.tools import Tool

# One of a dozen shapes, told apart by `type`; what each has is checked by `schemas.response_items`
# and listed in OpenAI's InputItem and OutputItem.
Item = dict[str, Any]
# One of OpenAI's ResponseStreamEvent: `type`, `sequence_number`, and what its type has.
Event = dict[str, Any]

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class TextOptions(TypedDict, total=False):
    """`text` of a request: the form of the answer, in the house's words; absent for plain text."""

    format: ResponseFormat


class ReasoningOptions(TypedDict, total=False):
    """`reasoning` of a request; `summary` says that thoughts go out as a summary."""

    effort: str
    summary: str


class Echo(TypedDict, total=False):
    """What the answer repeats of its request, in OpenAI's words: what is in force, not more."""

    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    model: str
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: dict[str, Any]
    safety_identifier: str | None
    temperature: float | None
    text: dict[str, Any]
    tool_choice: Any
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float | None
    user: str | None


class ResponseRequest(Sampling, Thinking, total=False):
    """A validated body of POST /v1/responses; what the client left out is absent.

    `input` is a list of checked items, whatever was sent. `tools`, `tool_choice` and
    `parallel_tool_calls` are settled, and in the words of a chat (`wire.openai.ChatRequest`);
    `echo` has them in OpenAI's. `max_output_tokens` is -1 for no limit.
    """

    echo: Echo
    input: list[Item]
    background: bool
    conversation: str
    frequency_penalty: float
    include: list[str]
    instructions: str
    max_output_tokens: int
    metadata: dict[str, str]
    model: str
    parallel_tool_calls: bool
    presence_penalty: float
    previous_response_id: str
    reasoning: ReasoningOptions  # type: ignore[misc]  # it holds more than a chat's
    seed: int
    stop: list[str]
    store: bool
    stream: bool
    temperature: float
    text: TextOptions
    tool_choice: Any
    tools: list[Tool]
    top_logprobs: int
    top_p: float
    user: str


class InputTokensDetails(TypedDict):
    """Of the tokens read, those from the engine's cache; what is written to it nobody tells."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(TypedDict):
    """Of the tokens written, those of thoughts: 0, because engines do not count them apart."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """Counts of tokens, as the engine told them."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(TypedDict):
    """Why a response failed; `code` is one of the few that OpenAI lists."""

    code: str
    message: str


class Response(Echo):
    """`response`: an answer at any moment of its life; times in Unix seconds."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Status
    background: bool
    error: ResponseError | None
    incomplete_details: dict[str, str] | None
    output: list[Item]
    service_tier: Literal["default"]
    store: bool
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None
    conversation: NotRequired[dict[str, str]]


class ResponseEvent(TypedDict):
    """What every event of a stream has; the other members depend on its type."""

    type: str
    sequence_number: int
