"""The body of POST /v1/chat/completions.

Source: OpenAI's CreateChatCompletionRequest; a test walks all of its fields.
"""

from typing import Any

from marshmallow import Schema, ValidationError, fields, missing

from tensoria.schemas.base import Flag, Later, Loaded, Number, Text, Whole, kind
from tensoria.schemas.base import load as load_body
from tensoria.schemas.messages import Messages, ignored_in_messages
from tensoria.wire.completions import CompletionRequest
from tensoria.wire.openai import ChatRequest, StreamOptions

# Editors send a dozen stop strings, where OpenAI allows four.
MAX_STOPS = 64


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


class ChatSchema(Schema):
    """Every field of the request: taken, ignored with notice, or not served yet."""

    messages = Messages(
        required=True,
        error_messages={"required": "this field is required."},
        metadata={"support": "honoured"},
    )
    model = Text(metadata={"support": "honoured"})
    stream = Flag(metadata={"support": "honoured"})
    stream_options = StreamOptionsField(metadata={"support": "honoured"})
    temperature = Number(minimum=0, maximum=2, metadata={"support": "honoured"})
    top_p = Number(minimum=0, maximum=1, metadata={"support": "honoured"})
    max_tokens = TokenLimit(minimum=1, metadata={"support": "honoured"})
    max_completion_tokens = TokenLimit(minimum=1, metadata={"support": "honoured"})
    stop = Stop(metadata={"support": "honoured"})
    seed = Whole(minimum=-(2**63), metadata={"support": "honoured"})
    presence_penalty = Number(minimum=-2, maximum=2, metadata={"support": "honoured"})
    frequency_penalty = Number(minimum=-2, maximum=2, metadata={"support": "honoured"})
    user = Text(metadata={"support": "ignored"})

    audio = Later()
    function_call = Later("none", "auto")
    functions = Later([])
    logit_bias = Later({})
    logprobs = Later(False)
    metadata = Later({})
    modalities = Later(["text"])
    moderation = Later()
    n = Later(1)
    parallel_tool_calls = Later(True)
    prediction = Later()
    prompt_cache_key = Later()
    prompt_cache_options = Later({})
    prompt_cache_retention = Later("in_memory")
    reasoning_effort = Later("medium")
    response_format = Later({"type": "text"})
    safety_identifier = Later()
    service_tier = Later("auto", "default")
    store = Later(False)
    tool_choice = Later("none", "auto")
    tools = Later([])
    top_logprobs = Later(0)
    verbosity = Later("medium")
    web_search_options = Later()

    # Extensions of local engines, which a later version serves.
    chat_template_kwargs = Later({})
    enable_thinking = Later()
    keep_alive = Later()
    min_p = Later()
    options = Later({})
    reasoning = Later()
    repeat_penalty = Later()
    think = Later()
    top_k = Later()


def load(body: object) -> Loaded[ChatRequest]:
    """Check a parsed body; raises InvalidRequest or UnsupportedParameter naming the field."""
    loaded = load_body(ChatSchema, body)
    request: ChatRequest = loaded.request
    raw: Any = body
    ignored = {*loaded.ignored, *ignored_in_messages(raw["messages"])}
    if "stream_options" in request:
        ignored |= ignored_stream_options(request, raw["stream_options"])
    return Loaded(request, tuple(sorted(ignored)))


def ignored_stream_options(
    request: ChatRequest | CompletionRequest, raw: dict[str, Any]
) -> set[str]:
    """Name the members of `stream_options` that have no effect; all of it without a stream."""
    if not request.get("stream"):
        return {"stream_options"}
    unknown = {name for name, value in raw.items() if value not in (None, False)}
    return {f"stream_options.{name}" for name in unknown - {"include_usage"}}
