"""How large a schema of a client's is, once its references are written out.

Every schema is measured before the validator sees it; what cannot be measured is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# OpenAI allows ten levels, of three or four in JSON each.
MAX_DEPTH = 64
# Parts of a schema, each counted as often as references lead to it: objects, values under `enum`
# and `const`, patterns.
MAX_PARTS = 20_000
MAX_PATTERNS = 1000
# What stands under these names is data; under the others of an object in a schema, a schema.
_DATA = frozenset(("const", "default", "enum", "example", "examples"))
_BY_NAME = frozenset(
    ("$defs", "definitions", "dependentSchemas", "dependencies", "patternProperties", "properties")
)
_DEFINITIONS = ("$defs", "definitions")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

Place = tuple[str | int, ...]


class BadSchema(Exception):
    """A schema that cannot be used: `place` leads to the part at fault."""

    def __init__(self, reason: str, place: Place = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


@dataclass(frozen=True, slots=True)
class SchemaSize:
    """What a schema holds when its references are written out."""

    parts: int
    patterns: int


class SchemaParts:
    """The objects of a schema, and which lead to which: by standing inside, or by reference."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._own_parts: dict[int, int] = {}
        self._own_patterns: dict[int, int] = {}
        self._below: dict[int, list[int]] = {}
        self._references: list[tuple[int, str, Place]] = []

    def measure(self) -> SchemaSize:
        """Count; raises BadSchema for what is too deep or too large, or refers elsewhere."""
        self._walk(self._schema, (), [], named=False)
        for origin, reference, place in self._references:
            target = self._target(reference, place)
            if isinstance(target, dict):
                self._below[origin].append(id(target))
        return SchemaSize(
            parts=self._count(self._own_parts, MAX_PARTS, "parts"),
            patterns=self._count(self._own_patterns, MAX_PATTERNS, "patterns"),
        )

    def _walk(self, part: Any, place: Place, above: list[int], *, named: bool) -> None:
        """`named` says that the keys of this object are names that the client made up."""
        if len(place) > MAX_DEPTH:
            raise BadSchema(f"more than {MAX_DEPTH} levels deep.")
        if isinstance(part, list):
            for index, each in enumerate(part):
                self._walk(each, (*place, index), above, named=False)
        if not isinstance(part, dict):
            return
        above.append(id(part))
        below = self._below[id(part)] = []
        self._own_parts[id(part)] = 1
        if not named:
            self._note_size(part)
            self._note_references(part, place)
        for key, value in part.items():
            if named or key not in _DATA:
                # A definition counts where it is referred to, not where it stands.
                under = [] if key in _DEFINITIONS and not named else below
                self._walk(value, (*place, key), under, named=not named and key in _BY_NAME)

    def _note_size(self, part: dict[str, Any]) -> None:
        names = part.get("patternProperties")
        patterns = len(names) if isinstance(names, dict) else 0
        self._own_patterns[id(part)] = patterns + ("pattern" in part)
        self._own_parts[id(part)] += sum(
            _values(part[key]) for key in ("const", "enum") if key in part
        )

    def _note_references(self, part: dict[str, Any], place: Place) -> None:
        if place and isinstance(part.get("$id"), str):
            raise BadSchema("only the whole schema can have an id.", (*place, "$id"))
        for key in _REFERENCES:
            if isinstance(reference := part.get(key), str):
                self._references.append((id(part), reference, (*place, key)))

    def _target(self, reference: str, place: Place) -> Any:
        head, *names = reference.split("/")
        if head != "#":
            raise BadSchema("a reference must begin with '#/': nothing is fetched.", place)
        found: Any = self._schema
        for name in map(_unescaped, names):
            if isinstance(found, list) and _is_index(name) and int(name) < len(found):
                found = found[int(name)]
            else:
                found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, bool) and id(found) not in self._below:
            raise BadSchema("the reference leads to no schema.", place)
        return found

    def _count(self, own: Mapping[int, int], most: int, what: str) -> int:
        """Add up over the schema as written out. Without recursion: references chain."""
        whole = id(self._schema)
        sizes = {whole: own.get(whole, 0)}
        path = [(whole, iter(self._below[whole]))]
        open_parts = {whole}
        while path:
            part, rest = path[-1]
            below = next(rest, None)
            if below is None:
                path.pop()
                open_parts.discard(part)
                if path:
                    sizes[path[-1][0]] += sizes[part]
            elif below not in sizes:
                sizes[below] = own.get(below, 0)
                open_parts.add(below)
                path.append((below, iter(self._below[below])))
            else:
                # Where references go round in a circle, each round takes a level of the answer.
                sizes[part] += own.get(below, 0) if below in open_parts else sizes[below]
            if sizes[part] > most:
                raise BadSchema(f"more than {most} {what}, with its references written out.")
        return sizes[whole]


def _values(data: Any) -> int:
    """Count what stands in `enum` or `const`; to compare what is nested takes ten times as long."""
    entries, nested, size = [data], isinstance(data, dict), 0
    while entries:
        entry = entries.pop()
        size += 1
        if isinstance(entry, dict | list):
            entries += entry.values() if isinstance(entry, dict) else entry
            nested = nested or entry is not data
    return 10 * size if nested else size


def _is_index(name: str) -> bool:
    """Tell whether a name is a number that `int` reads: it raises for thousands of digits."""
    return name.isdecimal() and len(name) < 10


def _unescaped(name: str) -> str:
    return name.replace("~1", "/").replace("~0", "~")
