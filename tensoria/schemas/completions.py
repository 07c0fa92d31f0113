"""The body of POST /v1/completions.

Source: OpenAI's CreateCompletionRequest; a test walks all of its fields.
"""

from typing import Any, cast

from marshmallow import Schema, ValidationError, fields, missing

from tensoria.errors import InvalidRequest, UnsupportedParameter
from tensoria.schemas.base import Flag, Loaded, ModelName, Number, Text, Whole, kind
from tensoria.schemas.base import load as load_body
from tensoria.schemas.chat import (
    LOGPROBS_SINCE,
    MAX_STOPS,
    NO_BIAS,
    ONE_BY_ONE,
    Stop,
    StreamOptionsField,
    TokenLimit,
    ignored_stream_options,
)
from tensoria.schemas.extensions import (
    MinP,
    TopK,
    keep_alive,
    repeat_penalty,
    sampling_options,
    spread_options,
)
from tensoria.schemas.reasoning import ThinkingOff
from tensoria.schemas.sampling import (
    MOST_TEXT_LOGPROBS,
    Choices,
    LogitBias,
    check_text_logprobs,
    settle_best_of,
)
from tensoria.schemas.support import END_USER, honoured, ignored, refused, support
from tensoria.wire.completions import CompletionRequest

# Each is a run of the engine.
MAX_PROMPTS = 64


class Prompts(fields.Field[list[str]]):
    """One prompt or a list of them; the list is what comes out."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[str]:
        if isinstance(value, str):
            _check_not_empty(value)
            return [value]
        if not isinstance(value, list):
            raise ValidationError(f"expected a string or an array of strings, got {kind(value)}.")
        if not value:
            raise ValidationError("expected at least one prompt.")
        if _is_token(value[0]):
            raise UnsupportedParameter(
                "'prompt' as an array of tokens is not supported: tokens of one model mean nothing "
                "to another. Send text.",
                param="prompt",
            )
        if len(value) > MAX_PROMPTS:
            raise ValidationError(f"expected at most {MAX_PROMPTS} prompts, got {len(value)}.")
        for index, prompt in enumerate(value):
            if not isinstance(prompt, str):
                raise ValidationError({index: [f"expected a string, got {kind(prompt)}."]})
            _check_not_empty(prompt, index)
        return value


def _is_token(value: object) -> bool:
    """Tell whether an array that begins so holds tokens, or arrays of them."""
    return isinstance(value, list | int | float) and not isinstance(value, bool)


def _check_not_empty(prompt: str, index: int | None = None) -> None:
    """OpenAI begins a new document (`<|endoftext|>`); Ollama would only load the model."""
    if not prompt:
        message = "an empty prompt leaves nothing to continue; send at least one character."
        raise ValidationError(message if index is None else {index: [message]})


class Suffix(Text):
    """The text after the gap; an empty one is none."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, *args, **kwargs) or missing


class Raw(Flag):
    """False brings the template back; true is what a completion is by itself."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return missing if super()._deserialize(value, *args, **kwargs) else False


class CompletionSchema(Schema):
    """Every field of the request, and what becomes of it."""

    prompt = Prompts(
        required=True,
        metadata=honoured("Text, or a list of texts; tokens are refused."),
    )
    model = ModelName(metadata=honoured("Absent or empty: DEFAULT_MODEL."))
    suffix = Suffix(
        metadata=support(
            "honoured",
            "Where the model can fill a gap.",
            llamacpp="refused",
            openai="honoured",
            needs="insert",
        )
    )
    echo = Flag(metadata=support("emulated", "The prompt is put before the answer."))
    stream = Flag(metadata=honoured("SSE, or NDJSON with Accept: application/x-ndjson."))
    stream_options = StreamOptionsField(metadata=honoured("Of its members, include_usage."))
    temperature = Number(minimum=0, maximum=2, metadata=honoured())
    top_p = Number(minimum=0, maximum=1, metadata=honoured())
    max_tokens = TokenLimit(minimum=1, metadata=honoured("-1 means that none is named."))
    stop = Stop(metadata=honoured(f"Up to {MAX_STOPS} strings."))
    seed = Whole(minimum=-(2**63), metadata=honoured())
    presence_penalty = Number(minimum=-2, maximum=2, metadata=honoured())
    frequency_penalty = Number(minimum=-2, maximum=2, metadata=honoured())
    logit_bias = LogitBias(metadata=support("refused", NO_BIAS, llamacpp="honoured"))
    logprobs = Whole(
        minimum=0,
        maximum=MOST_TEXT_LOGPROBS,
        metadata=honoured("Of the answer's text, not of its prompt.", since=LOGPROBS_SINCE),
    )
    n = Choices(metadata=support("emulated", ONE_BY_ONE))
    user = Text(metadata=ignored(END_USER, changes=False))

    best_of = Whole(
        minimum=0,
        maximum=20,
        metadata=refused("No engine ranks its answers; as large as n it asks for no more."),
    )

    # Extensions: ours, and the chat's name for the limit, because every spelling of it binds.
    raw = Raw(
        metadata=support(
            "honoured",
            "False puts the model's own template around the prompt.",
            llamacpp="refused",
        )
    )
    max_completion_tokens = TokenLimit(minimum=1, metadata=honoured("As max_tokens."))

    # Extensions of local engines.
    keep_alive = keep_alive()
    min_p = MinP(metadata=honoured())
    options = sampling_options(stop=Stop(), num_predict=TokenLimit(minimum=1))
    repeat_penalty = repeat_penalty()
    think = ThinkingOff(
        metadata=ignored("Always off: a text has no place for thoughts.", changes=True)
    )
    top_k = TopK(metadata=honoured("0 and -1 mean all."))


def load(body: object) -> Loaded[CompletionRequest]:
    """Check a parsed body; raises InvalidRequest or UnsupportedParameter naming the field."""
    loaded = load_body(CompletionSchema, body)
    request: CompletionRequest = loaded.request
    raw: Any = body
    if raw.get("raw") and "suffix" in request:
        raise InvalidRequest(
            "'raw' must not be true beside 'suffix': the model's template says how to fill a gap.",
            param="raw",
        )
    check_text_logprobs(request)
    settle_best_of(request)
    names = set(loaded.ignored)
    if "options" in request:
        names |= spread_options(cast("dict[str, Any]", request))
    if "stream_options" in request:
        names |= ignored_stream_options(request, raw["stream_options"])
    return Loaded(request, tuple(sorted(names)))
