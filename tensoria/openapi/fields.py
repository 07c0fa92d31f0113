"""What each kind of field takes, as JSON Schema: one function a class of fields.

Rules that look at two fields (`top_logprobs` needs `logprobs`) or at the model stand in words only.
"""

from functools import singledispatch
from typing import Any

from marshmallow import fields

from tensoria.openapi import chat_messages, messages, response_items, response_options, tools
from tensoria.schemas.base import MAX_NAME, Flag, ModelName, Number, Taken, Text, Whole
from tensoria.schemas.chat import MAX_STOPS, Stop, StreamOptionsField, TokenLimit
from tensoria.schemas.chat_messages import Messages
from tensoria.schemas.completions import MAX_PROMPTS, Prompts
from tensoria.schemas.embeddings import MAX_INPUTS, EncodingFormat, Input
from tensoria.schemas.extensions import LONGEST_SECONDS, KeepAliveField, Options
from tensoria.schemas.reasoning import (
    LEVELS,
    EffortField,
    ReasoningField,
    TemplateArguments,
    Think,
    ThinkingOff,
)
from tensoria.schemas.response_format import ResponseFormatField
from tensoria.schemas.response_items import Items
from tensoria.schemas.response_options import (
    ConversationField,
    Include,
    MetadataField,
    Obfuscation,
    ReasoningOptionsField,
    TextField,
)
from tensoria.schemas.response_tools import ResponseToolChoice, ResponseTools
from tensoria.schemas.sampling import MOST_BIAS, LogitBias
from tensoria.schemas.support import Support
from tensoria.schemas.tools import ToolChoice, Tools
from tensoria.variables import GO_DURATION

Shape = dict[str, Any]

_ENGINES = {"ollama": "Ollama", "llamacpp": "llama.cpp", "openai": "OpenAI"}
_EFFORT: Shape = {"type": "string", "enum": list(LEVELS)}
_FLAG: Shape = {"type": "boolean"}


def to_property(field: fields.Field[Any], **_: Any) -> Shape:
    """Return a field of a request as JSON Schema, with what becomes of it at each kind of engine.

    Null means absent, so every field that is not required takes it.
    """
    support: Support = field.metadata["support"]
    shape = to_shape(field)
    if support.never and isinstance(field, Taken):
        shape = {"enum": list(field.defaults)}
    return {
        **(shape if field.required else or_null(shape)),
        "description": _described(support),
        "x-tensoria-support": {kind: getattr(support, kind) for kind in _ENGINES},
    }


def or_null(shape: Shape) -> Shape:
    """Return a shape that null fits as well."""
    if not shape:
        return {}
    if "enum" in shape:
        type_ = {"type": [shape["type"], "null"]} if "type" in shape else {}
        return {**shape, **type_, "enum": [*shape["enum"], None]}
    if isinstance(shape.get("type"), str):
        return {**shape, "type": [shape["type"], "null"]}
    if "type" in shape:
        return {**shape, "type": [*shape["type"], "null"]}
    return {"anyOf": [*shape["anyOf"], {"type": "null"}]}


def _described(support: Support) -> str:
    levels = {name: getattr(support, kind) for kind, name in _ENGINES.items()}
    if len(set(levels.values())) == 1:
        told = f"{support.ollama.capitalize()}."
    else:
        told = ", ".join(f"{name}: {level}" for name, level in levels.items()) + "."
    since = support.since and f"From Ollama {'.'.join(map(str, support.since))} on."
    return " ".join(filter(None, (told, support.note, since)))


@singledispatch
def to_shape(field: fields.Field[Any]) -> Shape:
    """Return what a field takes; a class without a function of its own stops the tests."""
    raise TypeError(f"no shape is known of {type(field).__name__}")


@to_shape.register
def _(_field: Text) -> Shape:
    return {"type": "string"}


@to_shape.register
def _(_field: ModelName) -> Shape:
    return {"type": "string", "maxLength": MAX_NAME}


@to_shape.register
def _(_field: EffortField) -> Shape:
    return _EFFORT


@to_shape.register
def _(_field: EncodingFormat) -> Shape:
    return {"type": "string", "enum": ["float", "base64"]}


@to_shape.register
def _(_field: Flag) -> Shape:
    return _FLAG


@to_shape.register(Think)
@to_shape.register(ThinkingOff)
def _(_field: fields.Field[Any]) -> Shape:
    return {"anyOf": [_FLAG, _EFFORT]}


@to_shape.register
def _(field: Number) -> Shape:
    return {"type": "number", "minimum": field.minimum, "maximum": field.maximum}


@to_shape.register
def _(field: Whole) -> Shape:
    return {"type": "integer", "minimum": field.minimum, "maximum": field.maximum}


@to_shape.register
def _(field: TokenLimit) -> Shape:
    return {"type": "integer", "minimum": -1, "maximum": field.maximum, "not": {"const": 0}}


@to_shape.register
def _(_field: Taken) -> Shape:
    return {}


@to_shape.register
def _(_field: Stop) -> Shape:
    return _one_or_many(MAX_STOPS, at_least=0)


@to_shape.register
def _(_field: Prompts) -> Shape:
    return _one_or_many(MAX_PROMPTS, at_least=1)


@to_shape.register
def _(_field: Input) -> Shape:
    return _one_or_many(MAX_INPUTS, at_least=1)


@to_shape.register
def _(_field: StreamOptionsField) -> Shape:
    return {"type": "object", "properties": {"include_usage": or_null(_FLAG)}}


@to_shape.register
def _(_field: ReasoningField) -> Shape:
    return {"type": "object", "properties": {"effort": or_null(_EFFORT)}}


@to_shape.register
def _(_field: TemplateArguments) -> Shape:
    return {"type": "object", "properties": {"enable_thinking": or_null(_FLAG)}}


@to_shape.register
def _(_field: LogitBias) -> Shape:
    return {
        "type": "object",
        "propertyNames": {"pattern": "^[0-9]+$"},
        "additionalProperties": {"type": "number", "minimum": -MOST_BIAS, "maximum": MOST_BIAS},
    }


@to_shape.register
def _(_field: KeepAliveField) -> Shape:
    duration = {"type": "string", "pattern": rf"^(-?\d+(\.\d+)?|{GO_DURATION.pattern}|)$"}
    most = LONGEST_SECONDS
    return {"anyOf": [{"type": "number", "minimum": -most, "maximum": most}, duration]}


@to_shape.register
def _(field: Options) -> Shape:
    members = {name: or_null(to_shape(member)) for name, member in sorted(field.members.items())}
    return {"type": "object", "properties": members} if members else {"type": "object"}


@to_shape.register
def _(_field: Messages) -> Shape:
    return chat_messages.MESSAGES


@to_shape.register
def _(_field: Tools) -> Shape:
    return tools.TOOLS


@to_shape.register
def _(_field: ToolChoice) -> Shape:
    return tools.CHOICE


@to_shape.register
def _(_field: ResponseFormatField) -> Shape:
    return tools.RESPONSE_FORMAT


_OF_RESPONSES: dict[type[fields.Field[Any]], Shape] = {
    ConversationField: response_options.CONVERSATION,
    Include: response_options.INCLUDE,
    Items: response_items.INPUT,
    MetadataField: response_options.METADATA,
    Obfuscation: response_options.STREAM_OPTIONS,
    ReasoningOptionsField: response_options.REASONING,
    ResponseToolChoice: response_items.RESPONSE_CHOICE,
    ResponseTools: response_items.RESPONSE_TOOLS,
    TextField: response_items.TEXT,
}
for _class, _shape in (messages.SHAPES | _OF_RESPONSES).items():
    to_shape.register(_class, lambda _, shape=_shape: shape)


def _one_or_many(most: int, *, at_least: int) -> Shape:
    text: Shape = {"type": "string", "minLength": 1}
    many = {"type": "array", "items": text, "minItems": at_least, "maxItems": most}
    return {"anyOf": [text, many]}
