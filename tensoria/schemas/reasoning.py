"""The fields that say how much a model shall think; `translate.reasoning` says which counts."""

from collections.abc import Callable
from functools import partial
from typing import Any

from marshmallow import ValidationError, fields, missing

from tensoria.config import EFFORTS
from tensoria.schemas.base import Flag, Text, kind
from tensoria.schemas.support import Level, Metadata, support
from tensoria.schemas.tools import MAX_DEPTH, is_deeper
from tensoria.translate.reasoning import is_unheard
from tensoria.translate.traits import Traits
from tensoria.wire.extensions import Reasoning

# Ollama's own word for the most.
LEVELS = (*EFFORTS, "max")


class EffortField(Text):
    """One of OpenAI's efforts, or "max"."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return _level(super()._deserialize(value, *args, **kwargs))


class Think(fields.Field[bool | str]):
    """True, false, or an effort."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool | str:
        if isinstance(value, bool):
            return value
        if not isinstance(value, str):
            raise ValidationError(f"expected true, false or an effort, got {kind(value)}.")
        return _level(value)


class ReasoningField(fields.Field[Reasoning]):
    """`reasoning`; of its members only `effort` has an effect."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        effort = value.get("effort")
        if effort is None:
            return missing
        if not isinstance(effort, str):
            raise ValidationError({"effort": [f"expected a string, got {kind(effort)}."]})
        try:
            return {"effort": _level(effort)}
        except ValidationError as error:
            raise ValidationError({"effort": error.messages}) from None


class TemplateArguments(fields.Field[dict[str, Any]]):
    """`chat_template_kwargs`: what an engine hands to the model's template; null means absent."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        if is_deeper(value, MAX_DEPTH):
            raise ValidationError(f"nested deeper than {MAX_DEPTH} levels.")
        arguments = {name: member for name, member in value.items() if member is not None}
        enabled = arguments.get("enable_thinking", False)
        if not isinstance(enabled, bool):
            message = f"expected true or false, got {kind(enabled)}."
            raise ValidationError({"enable_thinking": [message]})
        return arguments or missing


class ThinkingOff(Flag):
    """`think` where thoughts have no place: false passes without a word."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = _level(value) != "none"
        return super()._deserialize(value, *args, **kwargs) or missing


def wish(name: str, *, openai: Level = "approximated") -> Metadata:
    """Return the metadata of one spelling; `name` is how it is told."""
    return support(
        "approximated",
        "As a level or as on and off, as release and model know it; a model that cannot think "
        "ignores it.",
        openai=openai,
        look=partial(unheard, name=name),
    )


def ignored_in_reasoning(raw: dict[str, Any]) -> set[str]:
    """Name the members of `reasoning` that have no effect."""
    return {
        f"reasoning.{name}" for name, value in raw.items() if value is not None and name != "effort"
    }


def unheard(value: Any, traits: Callable[[], Traits], *, name: str) -> set[str]:
    """Name a field that asks a model to think which does not."""
    effort = value["effort"] if isinstance(value, dict) else value
    return {name} if is_unheard(effort, traits()) else set()


def unheard_arguments(value: dict[str, Any], traits: Callable[[], Traits]) -> set[str]:
    """Name the arguments that no template of Ollama's gets to see."""
    told = traits()
    if told.kind != "ollama":
        return set()
    names = {f"chat_template_kwargs.{name}" for name in value if name != "enable_thinking"}
    if "enable_thinking" in value and is_unheard(value["enable_thinking"], told):
        names.add("chat_template_kwargs.enable_thinking")
    return names


def _level(value: str) -> str:
    if value not in LEVELS:
        raise ValidationError(f"expected one of {', '.join(LEVELS)}.")
    return value
