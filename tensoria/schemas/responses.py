"""The body of POST /v1/responses.

Source: OpenAI's CreateResponse; a test walks all of its fields.
"""

from typing import Any, cast

from marshmallow import Schema

from tensoria.errors import InvalidRequest
from tensoria.schemas.base import Flag, Loaded, ModelName, Number, Taken, Text, Whole
from tensoria.schemas.base import load as load_body
from tensoria.schemas.chat import LOGPROBS_SINCE, ParallelCalls, Stop, TokenLimit
from tensoria.schemas.extensions import (
    MinP,
    TopK,
    keep_alive,
    repeat_penalty,
    sampling_options,
    spread_options,
)
from tensoria.schemas.reasoning import TemplateArguments, Think, unheard_arguments, wish
from tensoria.schemas.response_images import unseen
from tensoria.schemas.response_items import Items, ignored_in_items
from tensoria.schemas.response_options import (
    Background,
    ConversationField,
    Include,
    MetadataField,
    Obfuscation,
    ReasoningOptionsField,
    TextField,
    ignored_in_options,
    ignored_in_text,
    unheard_effort,
    untold,
)
from tensoria.schemas.response_tools import (
    ResponseToolChoice,
    ResponseTools,
    ignored_in_choice,
    ignored_in_response_tools,
)
from tensoria.schemas.sampling import TopLogprobs
from tensoria.schemas.support import END_USER, honoured, ignored, refused, support
from tensoria.schemas.tools import settle
from tensoria.translate.reasoning import SPELLINGS, settle_effort
from tensoria.translate.responses import LOGPROBS, reword, to_echo
from tensoria.wire.openai import ChatRequest
from tensoria.wire.responses import ResponseRequest

_OF_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
# One of these has to say what is asked.
_ASKING = frozenset({"input", "instructions", "previous_response_id", "conversation"})


class ResponseSchema(Schema):
    """Every field of the request, and what becomes of it."""

    input = Items(
        metadata=honoured(
            "A text, or messages, calls of functions and their results, thoughts. Records of "
            "searches are left out. Images as data URLs, for models that see.",
            look=unseen,
        )
    )
    model = ModelName(metadata=honoured("Absent or empty: DEFAULT_MODEL."))
    instructions = Text(metadata=honoured("For this response alone."))
    stream = Flag(metadata=honoured("SSE, or NDJSON with Accept: application/x-ndjson."))
    temperature = Number(minimum=0, maximum=2, metadata=honoured())
    top_p = Number(minimum=0, maximum=1, metadata=honoured())
    max_output_tokens = TokenLimit(minimum=1, metadata=honoured("-1 means that none is named."))
    text = TextField(
        metadata=honoured(
            "Of its members, format: the finished answer is checked, strict or not.",
            members_change=True,
        )
    )
    tools = ResponseTools(
        metadata=honoured(
            "Functions; other kinds of tools are left out.",
            needs="tools",
            unless="tool_choice",
            members_change=True,
        )
    )
    tool_choice = ResponseToolChoice(
        metadata=support(
            "emulated",
            "A forced call is generated to a schema, and stop strings do not end it.",
            openai="honoured",
            members_change=True,
        )
    )
    parallel_tool_calls = ParallelCalls(
        metadata=support("emulated", "Of several calls, the first is kept.", openai="honoured")
    )
    reasoning = ReasoningOptionsField(
        metadata=support(
            "approximated",
            "The effort as release and model know it; a model that cannot think ignores it. A "
            "summary is the whole thought.",
            look=unheard_effort,
        )
    )
    include = Include(
        metadata=support(
            "approximated",
            "message.output_text.logprobs (Ollama 0.12.11), reasoning.encrypted_content (which is "
            "the thought, wrapped).",
            look=untold,
        )
    )
    top_logprobs = TopLogprobs(
        metadata=honoured("With include: message.output_text.logprobs.", since=LOGPROBS_SINCE)
    )
    metadata = MetadataField(metadata=honoured("Repeated in the answer."))

    # What these need is kept unless STORE=0, which only the request itself is told.
    background = Background(metadata=honoured("With store; refused with STORE=0."))
    conversation = ConversationField(metadata=honoured("Refused with STORE=0."))
    previous_response_id = Text(metadata=honoured("Refused with STORE=0."))
    store = Flag(metadata=honoured("Absent: true. Ignored with STORE=0."))

    context_management = Taken([], metadata=ignored("Nothing is compacted.", changes=False))
    max_tool_calls = Whole(
        minimum=1, metadata=ignored("It counts calls of OpenAI's own tools.", changes=False)
    )
    moderation = Taken(metadata=ignored("Nothing is moderated.", changes=True))
    prompt_cache_key = Text(metadata=ignored("The engine's cache needs none.", changes=False))
    prompt_cache_options = Taken({}, metadata=ignored("The engine decides.", changes=False))
    prompt_cache_retention = Taken(
        "in_memory", metadata=ignored("The engine decides.", changes=False)
    )
    safety_identifier = Text(metadata=ignored(END_USER, changes=False))
    service_tier = Taken("auto", "default", metadata=ignored("There is one tier.", changes=False))
    stream_options = Obfuscation(metadata=ignored("Nothing is padded.", changes=False))
    truncation = Taken("disabled", metadata=ignored("CONTEXT_OVERFLOW decides.", changes=True))
    user = Text(metadata=ignored(END_USER, changes=False))

    prompt = Taken(metadata=refused("No prompts are kept: send instructions and input."))

    # Extensions of local engines.
    chat_template_kwargs = TemplateArguments(
        metadata=support(
            "approximated",
            "Ollama: of its members, enable_thinking.",
            llamacpp="honoured",
            look=unheard_arguments,
            members_change=True,
        )
    )
    enable_thinking = Flag(metadata=wish("enable_thinking"))
    frequency_penalty = Number(minimum=-2, maximum=2, metadata=honoured())
    keep_alive = keep_alive()
    min_p = MinP(metadata=honoured())
    options = sampling_options(stop=Stop(), num_predict=TokenLimit(minimum=1))
    presence_penalty = Number(minimum=-2, maximum=2, metadata=honoured())
    repeat_penalty = repeat_penalty()
    seed = Whole(minimum=-(2**63), metadata=honoured())
    stop = Stop(metadata=honoured())
    think = Think(metadata=wish("think"))
    top_k = TopK(metadata=honoured("0 and -1 mean all."))


def load(body: object) -> Loaded[ResponseRequest]:
    """Check a parsed body; raises InvalidRequest or UnsupportedParameter naming the field."""
    loaded = load_body(ResponseSchema, body)
    request: ResponseRequest = loaded.request
    raw: Any = body
    _check_asked(request)
    request.setdefault("input", [])
    names = {*loaded.ignored, *_ignored_members(raw)} | _settle_effort(request)
    if "options" in request:
        names |= _spread(request)
    if "top_logprobs" in request and LOGPROBS not in request.get("include", ()):
        del request["top_logprobs"]
        names.add("top_logprobs")
    request["echo"] = to_echo(request)
    if any(name in request for name in _OF_TOOLS):
        _settle_tools(request)
    return Loaded(request, tuple(sorted(names)))


def _check_asked(request: ResponseRequest) -> None:
    if not any(request.get(name) for name in _ASKING):
        raise InvalidRequest(
            "Invalid value for 'input': expected a text or at least one item.", param="input"
        )


def _ignored_members(raw: dict[str, Any]) -> set[str]:
    names: set[str] = set()
    if isinstance(raw.get("input"), list):
        names |= ignored_in_items(raw["input"])
    if raw.get("tools"):
        names |= ignored_in_response_tools(raw["tools"])
    if raw.get("tool_choice"):
        names |= ignored_in_choice(raw["tool_choice"])
    if raw.get("text"):
        names |= ignored_in_text(raw["text"])
    if raw.get("reasoning"):
        names |= ignored_in_options(raw["reasoning"])
    return names


def _settle_effort(request: ResponseRequest) -> set[str]:
    """Leave one spelling of an effort, and name those that said something else."""
    fields: dict[str, Any] = cast("dict[str, Any]", request)
    chat: Any = {name: fields.pop(name) for name in SPELLINGS & fields.keys()}
    reasoning = chat.pop("reasoning", {})
    if "effort" in reasoning:
        chat["reasoning"] = {"effort": reasoning["effort"]}
    names = settle_effort(chat)
    left = {name: value for name, value in reasoning.items() if name != "effort"}
    if left := left | chat.pop("reasoning", {}):
        fields["reasoning"] = left
    fields |= chat
    return names


def _spread(request: ResponseRequest) -> set[str]:
    """Move what `options` holds into fields of their own, and name what these overrule."""
    fields = cast("dict[str, Any]", request)
    if "max_output_tokens" in fields:
        fields["max_completion_tokens"] = fields.pop("max_output_tokens")
    names = spread_options(fields)
    limits = [fields.pop(name, -1) for name in ("max_tokens", "max_completion_tokens")]
    if (limit := max(limits)) != -1:
        fields["max_output_tokens"] = limit
    return names


def _settle_tools(request: ResponseRequest) -> None:
    try:
        settle(cast("ChatRequest", request))
    except InvalidRequest as error:
        reword(error)
        raise
