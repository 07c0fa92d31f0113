"""How far each field is supported, by kind of engine: the one table.

It stands in the fields themselves (`metadata=honoured(…)`), and from there come validation, the
notices on answers, strict mode, GET /v1/compat and the page of the documentation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from marshmallow import Schema

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import Loaded
from tensoria.translate.traits import Traits, Version

# Looks at a value: names what of it the engine ignores, raises for what it cannot honour. The
# traits may cost a question to the engine: to be called only where the value makes them count.
Look = Callable[[Any, Callable[[], Traits]], set[str]]
Level = Literal["honoured", "emulated", "approximated", "ignored", "refused"]


# The note of the fields by which a front end names its users.
END_USER = "It tells callers apart for a key marked end_users alone."


@dataclass(frozen=True, slots=True)
class Support:
    """One field's support: by kind of engine, and narrowed by release and capability.

    `changes` tells whether an answer that ignores the field is another answer. `since` is the first
    Ollama that takes it, `needs` the capability that a model must not be known to lack; without
    either the field is refused. Beside the field that `unless` names, it counts as honoured. `look`
    is for what depends on the value; of a field with members, `members_change` tells whether an
    answer that ignores one of them is another answer.
    """

    ollama: Level
    llamacpp: Level
    openai: Level
    note: str
    changes: bool
    since: Version | None = None
    needs: str | None = None
    unless: str | None = None
    look: Look | None = None
    members_change: bool = False

    def level(self, traits: Traits) -> Level:
        """Return the level for one model of one engine."""
        if self.why_not(traits):
            return "refused"
        level: Level = getattr(self, traits.kind)
        return level

    def why_not(self, traits: Traits) -> str | None:
        """Say what a model or its engine lacks, in words that follow the field's name."""
        if self.since and traits.is_older(self.since):
            wanted = ".".join(map(str, self.since))
            return f"needs Ollama {wanted} or later"
        if self.needs and traits.lacks(self.needs):
            return f"needs a model with the capability '{self.needs}', which {traits.model} lacks"
        return None

    @property
    def never(self) -> bool:
        """Tell whether no engine honours it."""
        return {self.ollama, self.llamacpp, self.openai} == {"refused"}

    @property
    def without_effect(self) -> bool:
        """Tell whether every engine ignores it."""
        return {self.ollama, self.llamacpp, self.openai} == {"ignored"}

    @property
    def counts(self) -> bool:
        """Tell whether a request with this field may need a notice, or be refused for it."""
        levels = {self.ollama, self.llamacpp, self.openai}
        return bool(self.since or self.needs) or not levels.isdisjoint(("ignored", "refused"))


Metadata = dict[str, Support]


def support(
    level: Level,
    note: str = "",
    *,
    llamacpp: Level | None = None,
    openai: Level | None = None,
    changes: bool = True,
    since: Version | None = None,
    needs: str | None = None,
    unless: str | None = None,
    look: Look | None = None,
    members_change: bool = False,
) -> Metadata:
    """Return a field's metadata; the first level is Ollama's, the others follow it if not given."""
    llamacpp = llamacpp or level
    return {
        "support": Support(
            ollama=level,
            llamacpp=llamacpp,
            openai=openai or llamacpp,
            note=note,
            changes=changes,
            since=since,
            needs=needs,
            unless=unless,
            look=look,
            members_change=members_change,
        )
    }


def honoured(note: str = "", **options: Any) -> Metadata:
    """Return metadata for a field that reaches the engine as it is meant."""
    return support("honoured", note, **options)


def refused(note: str) -> Metadata:
    """Return metadata for a field that no engine behind this service can honour."""
    return support("refused", note)


def ignored(note: str, *, changes: bool) -> Metadata:
    """Return metadata for a field that is taken, named on the answer, and has no effect."""
    return support("ignored", note, changes=changes)


@lru_cache(maxsize=32)
def table(schema: type[Schema]) -> dict[str, Support]:
    """Return the support of every field of a schema."""
    return {name: field.metadata["support"] for name, field in schema().fields.items()}


def narrow(
    schema: type[Schema], loaded: Loaded[Any], traits: Callable[[], Traits], *, strict: bool
) -> tuple[str, ...]:
    """Return the names of what is ignored, sorted; raise UnsupportedParameter for what is refused.

    `traits` is called only if the request has a field whose support depends on its model. In
    strict mode an ignored field that changes the answer is refused, and so is one that OpenAI does
    not have: nobody knows what it would have changed.
    """
    fields = table(schema)
    names = set(loaded.ignored)
    depending = []
    for name in sorted(loaded.request.keys() & _counting(schema)):
        field = fields[name]
        if field.never:
            raise _refusal(name, "is not supported", field.note)
        if field.without_effect:
            names.add(name)
        elif field.unless not in loaded.request:
            depending.append(name)
    if depending:
        names |= _ignored_by(schema, depending, traits())
    for name, look in _looks(schema):
        if name in loaded.request:
            names |= look(loaded.request[name], traits)
    if strict:
        _refuse_changes(schema, sorted(names))
    return tuple(sorted(names))


@lru_cache(maxsize=32)
def _counting(schema: type[Schema]) -> frozenset[str]:
    return frozenset(name for name, each in table(schema).items() if each.counts)


@lru_cache(maxsize=32)
def _looks(schema: type[Schema]) -> tuple[tuple[str, Look], ...]:
    return tuple((name, each.look) for name, each in table(schema).items() if each.look)


def _ignored_by(schema: type[Schema], present: list[str], traits: Traits) -> set[str]:
    names = set()
    for name in present:
        found = table(schema)[name]
        level = found.level(traits)
        if level == "refused":
            if reason := found.why_not(traits):
                raise _refusal(name, reason)
            raise _refusal(name, "is not supported by this engine", found.note)
        if level == "ignored":
            names.add(name)
    return names


def _refusal(name: str, reason: str, note: str = "") -> UnsupportedParameter:
    return UnsupportedParameter(f"'{name}' {reason}. {note}".rstrip(), param=name)


def _refuse_changes(schema: type[Schema], names: list[str]) -> None:
    for name in names:
        found = table(schema).get(name)
        field = table(schema).get(name.partition(".")[0])
        if found.changes if found else field is None or field.members_change:
            raise UnsupportedParameter(
                f"'{name}' would be ignored, and in strict mode (STRICT, X-Tensoria-Strict) that "
                "is an error; leave it out.",
                param=name,
            )
