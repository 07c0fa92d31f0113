"""The body of POST /v1/chat/completions.

Source: OpenAI's CreateChatCompletionRequest; a test walks all of its fields.
"""

from typing import Any, cast

from marshmallow import Schema, ValidationError, fields, missing

from tensoria.schemas.base import Flag, Loaded, ModelName, Number, Taken, Text, Whole, kind
from tensoria.schemas.base import load as load_body
from tensoria.schemas.chat_messages import Messages, ignored_in_messages, settle_history
from tensoria.schemas.extensions import (
    MinP,
    TopK,
    keep_alive,
    repeat_penalty,
    sampling_options,
    spread_options,
)
from tensoria.schemas.images import unseen
from tensoria.schemas.reasoning import (
    EffortField,
    ReasoningField,
    TemplateArguments,
    Think,
    ignored_in_reasoning,
    unheard_arguments,
    wish,
)
from tensoria.schemas.response_format import ResponseFormatField, ignored_in_format
from tensoria.schemas.sampling import (
    Choices,
    LogitBias,
    Logprobs,
    TopLogprobs,
    check_logprobs,
)
from tensoria.schemas.support import END_USER, honoured, ignored, refused, support
from tensoria.schemas.tools import ToolChoice, Tools, ignored_in_tools, settle
from tensoria.translate.reasoning import settle_effort
from tensoria.wire.generation import Generation, StreamOptions
from tensoria.wire.openai import ChatRequest

# Editors send a dozen stop strings, where OpenAI allows four.
MAX_STOPS = 64
_OF_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})

# The first Ollama that tells them; before it the fields would be ignored.
LOGPROBS_SINCE = (0, 12, 11)
NO_BIAS = "Ollama's API has no place for it."
ONE_BY_ONE = (
    "Up to MAX_CHOICES, with a seed each (the client's, and those after it), one after the other "
    "or in free slots at a time; usage counts the prompt once."
)


class Stop(fields.Field[list[str]]):
    """One stop string or a list of them; the list is what comes out.

    An empty list means absent: sent to Ollama it would replace the model's own stop strings.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        stops = [value] if isinstance(value, str) else value
        if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
            raise ValidationError("expected a string or an array of strings.")
        if len(stops) > MAX_STOPS:
            raise ValidationError(f"expected at most {MAX_STOPS} strings, got {len(stops)}.")
        if "" in stops:
            raise ValidationError("an empty stop string would end every answer at once.")
        return stops or missing


class TokenLimit(Whole):
    """A limit of at least one token, or -1: local clients send that for "none named".

    Zero is refused: Ollama takes num_predict 0 for "no limit".
    """

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        if value == -1:
            return -1
        return super()._deserialize(value, *args, **kwargs)


class StreamOptionsField(fields.Field[StreamOptions]):
    """`stream_options`; of its members only `include_usage` has an effect."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> StreamOptions:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        include_usage = value.get("include_usage")
        if include_usage is None:
            return {}
        if not isinstance(include_usage, bool):
            message = f"expected true or false, got {kind(include_usage)}."
            raise ValidationError({"include_usage": [message]})
        return {"include_usage": include_usage}


class ParallelCalls(Flag):
    """False keeps one call; true is what engines do by themselves."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return missing if super()._deserialize(value, *args, **kwargs) else False


class ChatSchema(Schema):
    """Every field of the request, and what becomes of it."""

    messages = Messages(
        required=True,
        metadata=honoured(
            "All roles; parts of one message are merged. Images as data URLs, for models that see.",
            look=unseen,
        ),
    )
    model = ModelName(metadata=honoured("Absent or empty: DEFAULT_MODEL."))
    stream = Flag(metadata=honoured("SSE, or NDJSON with Accept: application/x-ndjson."))
    stream_options = StreamOptionsField(metadata=honoured("Of its members, include_usage."))
    temperature = Number(minimum=0, maximum=2, metadata=honoured())
    top_p = Number(minimum=0, maximum=1, metadata=honoured())
    max_tokens = TokenLimit(minimum=1, metadata=honoured("-1 means that none is named."))
    max_completion_tokens = TokenLimit(minimum=1, metadata=honoured("As max_tokens."))
    stop = Stop(metadata=honoured(f"Up to {MAX_STOPS} strings."))
    seed = Whole(minimum=-(2**63), metadata=honoured())
    presence_penalty = Number(minimum=-2, maximum=2, metadata=honoured())
    frequency_penalty = Number(minimum=-2, maximum=2, metadata=honoured())
    response_format = ResponseFormatField(
        metadata=honoured(
            "The finished answer is checked, strict or not. Ollama gets the schema alone, without "
            "its name and description."
        )
    )

    tools = Tools(
        metadata=honoured(
            "Functions; other kinds of tools are left out. Where the model's template has no place "
            "for tools, llama.cpp's server would drop them without a word. A call that the model "
            "writes as text becomes a call (TOOL_RESCUE).",
            needs="tools",
            unless="tool_choice",
            members_change=True,
        )
    )
    tool_choice = ToolChoice(
        metadata=support(
            "emulated",
            "A forced call is generated to a schema, and stop strings do not end it.",
            openai="honoured",
        )
    )
    parallel_tool_calls = ParallelCalls(
        metadata=support("emulated", "Of several calls, the first is kept.", openai="honoured")
    )
    logit_bias = LogitBias(metadata=support("refused", NO_BIAS, llamacpp="honoured"))
    logprobs = Logprobs(
        metadata=honoured("Of the answer's text, not of thoughts.", since=LOGPROBS_SINCE)
    )
    top_logprobs = TopLogprobs(metadata=honoured("With logprobs.", since=LOGPROBS_SINCE))
    n = Choices(metadata=support("emulated", ONE_BY_ONE))
    reasoning_effort = EffortField(metadata=wish("reasoning_effort", openai="honoured"))

    user = Text(metadata=ignored(END_USER, changes=False))
    metadata = Taken({}, metadata=ignored("Nothing is stored.", changes=False))
    moderation = Taken(metadata=ignored("Nothing is moderated.", changes=True))
    prediction = Taken(metadata=ignored("It would only be faster.", changes=False))
    prompt_cache_key = Taken(metadata=ignored("The engine's cache needs none.", changes=False))
    prompt_cache_options = Taken({}, metadata=ignored("The engine decides.", changes=False))
    prompt_cache_retention = Taken(
        "in_memory", metadata=ignored("The engine decides.", changes=False)
    )
    safety_identifier = Taken(metadata=ignored(END_USER, changes=False))
    service_tier = Taken("auto", "default", metadata=ignored("There is one tier.", changes=False))
    store = Taken(False, metadata=ignored("Nothing is stored.", changes=False))
    verbosity = Taken("medium", metadata=ignored("Ask for brevity in a message.", changes=True))
    web_search_options = Taken(metadata=ignored("Nothing is searched.", changes=True))

    audio = Taken(metadata=refused("The models speak text."))
    modalities = Taken(["text"], metadata=refused("The models speak text."))
    function_call = Taken("none", "auto", metadata=refused("Send tool_choice."))
    functions = Taken([], metadata=refused("Send tools."))

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
    keep_alive = keep_alive()
    min_p = MinP(metadata=honoured())
    options = sampling_options(stop=Stop(), num_predict=TokenLimit(minimum=1))
    reasoning = ReasoningField(metadata=wish("reasoning.effort"))
    repeat_penalty = repeat_penalty()
    think = Think(metadata=wish("think"))
    top_k = TopK(metadata=honoured("0 and -1 mean all."))


def load(body: object) -> Loaded[ChatRequest]:
    """Check a parsed body; raises InvalidRequest or UnsupportedParameter naming the field."""
    loaded = load_body(ChatSchema, body)
    request: ChatRequest = loaded.request
    check_logprobs(request)
    raw: Any = body
    names = {*loaded.ignored, *ignored_in_messages(raw["messages"])}
    names |= settle_history(request["messages"]) | settle_effort(request)
    if not _OF_TOOLS.isdisjoint(raw):
        names |= ignored_in_tools(raw.get("tools") or ())
        settle(request)
    if "options" in request:
        names |= spread_options(cast("dict[str, Any]", request))
    if isinstance(raw.get("reasoning"), dict):
        names |= ignored_in_reasoning(raw["reasoning"])
    if "stream_options" in request:
        names |= ignored_stream_options(request, raw["stream_options"])
    if raw.get("response_format") is not None:
        names |= ignored_in_format(raw["response_format"])
    return Loaded(request, tuple(sorted(names)))


def ignored_stream_options(request: Generation, raw: dict[str, Any]) -> set[str]:
    """Name the members of `stream_options` that have no effect; all of it without a stream."""
    if not request.get("stream"):
        return {"stream_options"}
    unknown = {name for name, value in raw.items() if value not in (None, False)}
    return {f"stream_options.{name}" for name in unknown - {"include_usage"}}
