"""JSON schemas that clients send: measured, compiled, and held against texts.

The validator's regular expressions run in linear time and it fetches nothing. What it would take
long for is refused before it sees it: a schema that is too large, and one whose references say in
a few lines what is enormous when written out.
"""

from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

# OpenAI allows 120 000 characters in all names, and ten levels (of three or four in JSON each).
MAX_SCHEMA_BYTES = 128 * 1024
MAX_DEPTH = 64
# Objects within a schema, each counted as often as references lead to it. One look at a value
# takes some ten nanoseconds for each, and an answer may hold thousands of values.
MAX_OBJECTS = 20_000
# Drafts 3 and 4 say `id` for `$id`, and examples are full of that.
DRAFTS = frozenset(
    f"{scheme}://json-schema.org/{draft}/schema"
    for scheme in ("http", "https")
    for draft in ("draft-06", "draft-07", "draft/2019-09", "draft/2020-12")
)
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)
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


class Checker:
    """A compiled schema."""

    def __init__(self, validator: Any) -> None:
        self._validator = validator

    def fits(self, text: str) -> bool:
        """Tell whether a text is JSON that the schema allows."""
        try:
            # Not `validate`, which tells where the fault is: only `is_valid` remembers what it
            # has looked at, without which recursive schemas take exponential time.
            return bool(self._validator.is_valid(orjson.loads(text)))
        except ValueError:
            return False


def to_checker(schema: dict[str, Any]) -> Checker:
    """Compile a schema, or raise BadSchema. Equal ones are compiled once."""
    try:
        return _compiled(orjson.dumps(schema))
    except orjson.JSONEncodeError as error:
        raise BadSchema(f"more than {MAX_DEPTH} levels deep.") from error


@lru_cache(maxsize=32)
def _compiled(text: bytes) -> Checker:
    if len(text) > MAX_SCHEMA_BYTES:
        raise BadSchema(f"longer than {MAX_SCHEMA_BYTES} bytes.")
    schema = orjson.loads(text)
    draft = schema.get("$schema", "")
    if not isinstance(draft, str) or draft.rstrip("#") not in DRAFTS | {""}:
        raise BadSchema("only the drafts 6, 7, 2019-09 and 2020-12 are known.", ("$schema",))
    _Parts(schema).measure()
    try:
        validator = jsonschema_rs.validator_for(schema, pattern_options=_PATTERNS, offline=True)
    except jsonschema_rs.ValidationError as error:
        raise _at_its_place(error) from error
    return Checker(validator)


def _at_its_place(error: jsonschema_rs.ValidationError) -> BadSchema:
    place = tuple(error.instance_path)
    if place[-1:] == ("pattern",):
        reason = (
            "not a regular expression that runs in linear time: look-around and back-references "
            "are not taken, nor very large repetitions."
        )
        return BadSchema(reason, place)
    return BadSchema("not valid as JSON Schema.", place)


class _Parts:
    """The objects of a schema, and which lead to which: by standing inside, or by reference."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._below: dict[int, list[int]] = {}
        self._references: list[tuple[int, str, Place]] = []

    def measure(self) -> None:
        """Raise BadSchema for a schema that is too deep, too large, or refers elsewhere."""
        self._walk(self._schema, (), [], named=False)
        for origin, reference, place in self._references:
            target = self._target(reference, place)
            if isinstance(target, dict):
                self._below[origin].append(id(target))
        self._count(id(self._schema))

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
        if not named:
            self._note_references(part, place)
        for key, value in part.items():
            if named or key not in _DATA:
                # A definition counts where it is referred to, not where it stands.
                under = [] if key in _DEFINITIONS and not named else below
                self._walk(value, (*place, key), under, named=not named and key in _BY_NAME)

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
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, bool) and id(found) not in self._below:
            raise BadSchema("the reference leads to no schema.", place)
        return found

    def _count(self, whole: int) -> None:
        """Count what the schema is when written out. Without recursion: references chain."""
        sizes = {whole: 1}
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
                sizes[below] = 1
                open_parts.add(below)
                path.append((below, iter(self._below[below])))
            else:
                # Where references go round in a circle, each round takes a level of the answer.
                sizes[part] += 1 if below in open_parts else sizes[below]
            if sizes[part] > MAX_OBJECTS:
                message = f"more than {MAX_OBJECTS} objects, with its references written out."
                raise BadSchema(message)


def _unescaped(name: str) -> str:
    return name.replace("~1", "/").replace("~0", "~")
