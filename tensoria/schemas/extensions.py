"""Fields of Ollama's that OpenAI does not have: more sampling, `keep_alive`, `options`."""

import re
from collections.abc import Callable
from typing import Any

from marshmallow import ValidationError, fields, missing

from tensoria.schemas.base import Number, Whole, kind
from tensoria.schemas.support import Metadata, honoured, support
from tensoria.translate.extensions import is_option_heard
from tensoria.translate.traits import Traits
from tensoria.variables import GO_DURATION, KeepAlive

# About 30 years. Ollama counts in nanoseconds, and its 64 bits end after 292.
LONGEST_SECONDS = 1_000_000_000
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_DURATION_PART = re.compile(r"([\d.]+)([a-zµ]+)", re.ASCII)
# In a field of its own `num_predict` has OpenAI's name.
_FIELD_OF = {"num_predict": "max_tokens"}


class TopK(Whole):
    """Of how many tokens one is drawn; 0 and -1 mean all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(minimum=-1, maximum=2**31 - 1, **options)


class MinP(Number):
    """The least probability, as a share of the likeliest token's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(minimum=0, maximum=1, **options)


class RepeatPenalty(Number):
    """What a repeated token's score is divided by: 1 is none, and 0 leaves no number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(minimum=0.01, maximum=10, **options)


class KeepAliveField(fields.Field[KeepAlive]):
    """Seconds, or a Go duration such as "5m"; negative means for ever.

    A number in a string comes out as a number (without a unit Ollama refuses it), an empty string
    is absent.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if isinstance(value, str):
            return _duration(value.strip())
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError(f"expected seconds or a duration such as 5m, got {kind(value)}.")
        return _checked(value, value)


class Options(fields.Field[dict[str, Any]]):
    """`options`; those that are known are checked, because Ollama answers 500 to a wrong type.

    Null means absent, in here too.
    """

    def __init__(self, *, metadata: Metadata, **members: fields.Field[Any]) -> None:
        super().__init__(metadata=metadata)
        self.members = members

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        checked: dict[str, Any] = {}
        for name, member in value.items():
            if member is None:
                continue
            taken = self._member(name, member)
            if taken is not missing:
                checked[name] = taken
        return checked or missing

    def _member(self, name: str, value: Any) -> Any:
        if name == "num_predict" and value == -2:
            # Ollama's "fill the context": as its -1, no limit is named.
            return -1
        try:
            return self.members[name].deserialize(value) if name in self.members else value
        except ValidationError as error:
            raise ValidationError({name: error.messages}) from None


def sampling_options(**members: fields.Field[Any]) -> Options:
    """Return `options` of a chat or a completion; `members` are those that stand beside it."""
    return Options(
        metadata=support(
            "approximated",
            "Sampling options; a field of its own wins over its name in here. What would load "
            "the model anew (num_ctx, num_gpu …), and what is not known, is ignored.",
            look=unheard_options,
            members_change=True,
        ),
        top_k=TopK(),
        min_p=MinP(),
        repeat_penalty=RepeatPenalty(),
        temperature=Number(minimum=0, maximum=2),
        top_p=Number(minimum=0, maximum=1),
        presence_penalty=Number(minimum=-2, maximum=2),
        frequency_penalty=Number(minimum=-2, maximum=2),
        seed=Whole(minimum=-(2**63)),
        typical_p=Number(minimum=0, maximum=1),
        repeat_last_n=Whole(minimum=-1, maximum=2**31 - 1),
        mirostat=Whole(minimum=0, maximum=2),
        mirostat_eta=Number(minimum=0, maximum=100),
        mirostat_tau=Number(minimum=0, maximum=100),
        **members,
    )


def keep_alive() -> KeepAliveField:
    """Return `keep_alive` of any endpoint."""
    note = "In place of OLLAMA_KEEP_ALIVE; other engines keep their model."
    return KeepAliveField(
        metadata=support("honoured", note, llamacpp="ignored", openai="ignored", changes=False)
    )


def repeat_penalty() -> RepeatPenalty:
    """Return `repeat_penalty` of a chat or a completion."""
    return RepeatPenalty(metadata=honoured("Other engines than llama.cpp: repetition_penalty."))


def embedding_options() -> Options:
    """Return `options` of an embedding: nothing is sampled, so nothing has an effect."""
    return Options(metadata=support("ignored", "None has an effect on vectors.", changes=False))


def spread_options(request: dict[str, Any]) -> set[str]:
    """Move what `options` holds into fields of their own, and name what these overrule.

    What has no such field stays under `options`.
    """
    told: set[str] = set()
    left: dict[str, Any] = {}
    for name, value in request.pop("options").items():
        field = _FIELD_OF.get(name, name)
        if field not in _SPREAD:
            left[name] = value
        elif not _is_named(field, request):
            request[field] = value
        elif request.get(field) != value:
            told.add(f"options.{name}")
    if left:
        request["options"] = left
    return told


def unheard_options(value: dict[str, Any], traits: Callable[[], Traits]) -> set[str]:
    """Name the members of spread `options` that have no effect."""
    found = traits()
    return {
        f"options.{name}"
        for name, member in value.items()
        if not is_option_heard(name, member, found)
    }


_SPREAD = frozenset(
    {
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "stop",
    }
)


def _is_named(field: str, request: dict[str, Any]) -> bool:
    """Tell whether a field is there; a limit of -1 is none."""
    if field != "max_tokens":
        return field in request
    return any(request.get(name, -1) != -1 for name in ("max_tokens", "max_completion_tokens"))


def _duration(text: str) -> Any:
    if not text:
        return missing
    if _NUMBER.fullmatch(text):
        seconds = _checked(float(text), float(text))
        return seconds if "." in text else int(seconds)
    if not GO_DURATION.fullmatch(text):
        raise ValidationError("expected seconds or a duration such as 5m.")
    parts = _DURATION_PART.findall(text)
    return _checked(text, sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _checked(value: KeepAlive, seconds: float) -> KeepAlive:
    if not -LONGEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise ValidationError(f"expected at most {LONGEST_SECONDS} seconds.")
    return value
