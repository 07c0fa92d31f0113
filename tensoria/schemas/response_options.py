"""Fields of a response that say how to answer and what to tell: `text`, `reasoning`, `include` ….

Source: OpenAI's CreateResponse.
"""

from collections.abc import Callable
from typing import Any

from marshmallow import ValidationError, fields, missing

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import Flag, kind
from tensoria.schemas.chat import LOGPROBS_SINCE
from tensoria.schemas.reasoning import EffortField, unheard
from tensoria.schemas.response_format import ResponseFormatField
from tensoria.schemas.response_tools import of_chat
from tensoria.translate.responses import LOGPROBS, SEALED
from tensoria.translate.traits import Traits
from tensoria.wire.responses import ReasoningOptions, TextOptions

SUMMARIES = ("auto", "concise", "detailed")
_OF_REASONING = frozenset({"effort", "summary", "generate_summary"})
_OF_FORMAT = frozenset({"type", "name", "description", "schema", "strict"})
# OpenAI's own limits.
MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512


class TextField(fields.Field[TextOptions]):
    """`text`; of its members only `format` has an effect, and plain text comes out as absent."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        form = value.get("format")
        if form is None:
            return missing
        try:
            checked = of_chat(ResponseFormatField(), _nested(form))
        except ValidationError as error:
            raise ValidationError({"format": error.messages}) from None
        return missing if checked is missing else {"format": checked}


def _nested(form: Any) -> Any:
    """Return a form of the answer as a chat has it."""
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return form
    schema = {name: value for name, value in form.items() if name != "type"}
    return {"type": "json_schema", "json_schema": schema}


def ignored_in_text(raw: dict[str, Any]) -> set[str]:
    """Name the members of a checked `text` that have no effect."""
    names = {
        f"text.{name}"
        for name, value in raw.items()
        if value is not None and name != "format" and (name, value) != ("verbosity", "medium")
    }
    return names | {
        f"text.format.{name}"
        for name, value in (raw.get("format") or {}).items()
        if value is not None and name not in _OF_FORMAT
    }


class ReasoningOptionsField(fields.Field[ReasoningOptions]):
    """`reasoning`: the effort, and whether thoughts go out as a summary."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        checked: ReasoningOptions = {}
        if value.get("effort") is not None:
            try:
                checked["effort"] = str(EffortField().deserialize(value["effort"]))
            except ValidationError as error:
                raise ValidationError({"effort": error.messages}) from None
        for name in ("generate_summary", "summary"):
            if (summary := value.get(name)) is None:
                continue
            if summary not in SUMMARIES:
                raise ValidationError({name: [f"expected one of {', '.join(SUMMARIES)}."]})
            checked["summary"] = summary
        return checked or missing


def ignored_in_options(raw: dict[str, Any]) -> set[str]:
    """Name the members of a checked `reasoning` that have no effect."""
    unknown = raw.keys() - _OF_REASONING
    return {f"reasoning.{name}" for name in unknown if raw[name] is not None}


def unheard_effort(value: ReasoningOptions, traits: Callable[[], Traits]) -> set[str]:
    """Name an effort that asks a model to think which does not."""
    return unheard(value, traits, name="reasoning.effort") if "effort" in value else set()


class Include(fields.Field[list[str]]):
    """`include`: what to tell beside the answer."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise ValidationError("expected an array of strings.")
        return value or missing


def untold(value: list[str], traits: Callable[[], Traits]) -> set[str]:
    """Name what cannot be included; raises for probabilities that the engine does not tell."""
    if LOGPROBS in value and traits().is_older(LOGPROBS_SINCE):
        wanted = ".".join(map(str, LOGPROBS_SINCE))
        raise UnsupportedParameter(
            f"'include' of '{LOGPROBS}' needs Ollama {wanted} or later.", param="include"
        )
    return {f"include.{name}" for name in value if name not in (LOGPROBS, SEALED)}


class MetadataField(fields.Field[dict[str, str]]):
    """`metadata`: pairs of texts, which the answer repeats."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        if len(value) > MAX_PAIRS:
            raise ValidationError(f"expected at most {MAX_PAIRS} pairs, got {len(value)}.")
        for name, text in value.items():
            if not isinstance(text, str):
                raise ValidationError({name: [f"expected a string, got {kind(text)}."]})
            if len(name) > MAX_KEY or len(text) > MAX_VALUE:
                raise ValidationError(
                    f"expected names of at most {MAX_KEY} characters and texts of {MAX_VALUE}."
                )
        return value or missing


class Obfuscation(fields.Field[Any]):
    """`stream_options`; nothing is padded here, so `include_obfuscation: false` says nothing."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        if all(member in (None, False) for member in value.values()):
            return missing
        return value


class ConversationField(fields.Field[str]):
    """`conversation`: its id, as a text or in an object."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        id_ = value.get("id") if isinstance(value, dict) else value
        if not isinstance(id_, str) or not id_:
            raise ValidationError("expected an id, or an object with one.")
        return id_


class Background(Flag):
    """`background`; false is what everybody gets."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, *args, **kwargs) or missing
