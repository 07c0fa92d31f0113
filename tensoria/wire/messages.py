"""Anthropic's messages (docs.anthropic.com/en/api/messages; types of the package `anthropic`)."""

from typing import Any, Literal, NotRequired, TypedDict

from tensoria.wire.extensions import Sampling
from tensoria.wire.message_blocks import AnswerBlock, Block
from tensoria.wire.response_format import JsonSchema
from tensoria.wire.tools import Tool

# What becomes of the model's thoughts: told, told to have been there, or left out.
Thoughts = Literal["shown", "omitted", "hidden"]
StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]


class MessageTurn(TypedDict):
    """One message of a request after validation: its content is a list of blocks."""

    role: Literal["system", "user", "assistant"]
    content: list[Block]


class ThinkingConfig(TypedDict):
    """`thinking` of a request; `omitted` thoughts are made and not told."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    display: NotRequired[Literal["summarized", "omitted"]]


class ForcedTool(TypedDict):
    """`tool_choice` of a request, where it forces a call: of any tool, or of the named one."""

    type: Literal["any", "tool"]
    name: NotRequired[str]


class OutputConfig(TypedDict, total=False):
    """`output_config` of a request: how much to think, and the schema of the answer."""

    effort: str
    format: JsonSchema


class MessageMetadata(TypedDict, total=False):
    """`metadata` of a request: who of the client's users asks."""

    user_id: str


class CountRequest(TypedDict, total=False):
    """A validated body of POST /v1/messages/count_tokens; what the client left out is absent.

    `tool_choice` is there only for a call that is forced, `parallel_tool_calls` only when false
    (`disable_parallel_tool_use`); both only beside `tools`, which are the house's already.
    """

    messages: list[MessageTurn]
    model: str
    system: str
    tools: list[Tool]
    tool_choice: ForcedTool
    parallel_tool_calls: bool
    thinking: ThinkingConfig
    output_config: OutputConfig
    output_format: JsonSchema


class MessageRequest(CountRequest, Sampling, total=False):
    """A validated body of POST /v1/messages."""

    max_tokens: int
    stream: bool
    stop_sequences: list[str]
    temperature: float
    top_p: float
    seed: int
    metadata: MessageMetadata


class MessageUsage(TypedDict):
    """Counts of tokens: those of the prompt that came from the cache are counted apart.

    At a stream's start the prompt's are not known, and 0; its end tells them.
    """

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: NotRequired[int]
    cache_read_input_tokens: NotRequired[int]


class AnthropicMessage(TypedDict):
    """The answer of POST /v1/messages; both of `stop_` are null until it is over."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[AnswerBlock]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: MessageUsage


class TokenCount(TypedDict):
    """The answer of POST /v1/messages/count_tokens."""

    input_tokens: int


class MessageErrorBody(TypedDict):
    """The object under `error`; `code` and `param` are extensions, OpenAI's words.

    `details` has an `error_code` where Anthropic's SDKs look for one.
    """

    type: str
    message: str
    code: str
    param: NotRequired[str]
    details: NotRequired[dict[str, str]]


class MessageErrorEnvelope(TypedDict):
    """The body of every error answer on Anthropic's paths."""

    type: Literal["error"]
    error: MessageErrorBody
    request_id: str


class ModelInfo(TypedDict):
    """A model as Anthropic tells of one; `created_at` is RFC 3339."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str
    lifecycle: Literal["active"]
    max_input_tokens: NotRequired[int]


class ModelPage(TypedDict):
    """GET /v1/models for Anthropic's clients; the ids are those of the page, null without any."""

    data: list[ModelInfo]
    has_more: bool
    first_id: str | None
    last_id: str | None


Event = dict[str, Any]
