"""JSON schemas that clients send: measured, compiled, and held against texts.

The validator's regular expressions run in linear time and it fetches nothing; still, it keeps the
worker from everything else. What it would take long for is refused before it sees it: a schema that
is too large, one whose references say in a few lines what is enormous when written out, and an
answer that is too long for its schema.
"""

from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from tensoria.translate.schema_parts import MAX_DEPTH, BadSchema, SchemaParts

# OpenAI allows 120 000 characters in all names.
MAX_SCHEMA_BYTES = 128 * 1024
# What a compiled pattern may take: the least of these that is enough for all patterns of a schema.
PATTERN_BYTES = (4 * 1024, 32 * 1024, 256 * 1024)
MAX_PATTERN_BYTES = 32 * 1024 * 1024
# What one answer may take, reckoned from what was measured: for a value and a part of the schema 20
# nanoseconds at the worst, for a byte of text and a byte of a compiled pattern a tenth of one.
MAX_CHECK_NANOSECONDS = 2e9
# Drafts 3 and 4 say `id` for `$id`, and examples are full of that.
DRAFTS = frozenset(
    f"{scheme}://json-schema.org/{draft}/schema"
    for scheme in ("http", "https")
    for draft in ("draft-06", "draft-07", "draft/2019-09", "draft/2020-12")
)


class Checker:
    """A compiled schema, and what a look through it takes."""

    def __init__(self, validator: Any, *, parts: int, pattern_bytes: int) -> None:
        self._validator = validator
        self._parts = parts
        self._pattern_bytes = pattern_bytes

    def fits(self, text: str) -> bool:
        """Tell whether a text is JSON that the schema allows, and not too long to be checked."""
        if self._nanoseconds(text) > MAX_CHECK_NANOSECONDS:
            return False
        try:
            # Not `validate`, which tells where the fault is: only `is_valid` remembers what it
            # has looked at, without which recursive schemas take exponential time.
            return bool(self._validator.is_valid(orjson.loads(text)))
        except ValueError:
            return False

    def _nanoseconds(self, text: str) -> float:
        # Every value and every name stands behind one of these, or begins the text.
        values = 1 + text.count(",") + text.count("[") + 2 * text.count(":")
        return 20.0 * values * self._parts + 0.1 * len(text) * self._pattern_bytes


def to_checker(schema: dict[str, Any]) -> Checker:
    """Compile a schema, or raise BadSchema. Equal ones are compiled once."""
    try:
        return _compiled(orjson.dumps(schema))
    except orjson.JSONEncodeError as error:
        raise BadSchema(f"more than {MAX_DEPTH} levels deep.") from error


@lru_cache(maxsize=8)
def _compiled(text: bytes) -> Checker:
    if len(text) > MAX_SCHEMA_BYTES:
        raise BadSchema(f"longer than {MAX_SCHEMA_BYTES} bytes.")
    schema = orjson.loads(text)
    draft = schema.get("$schema", "")
    if not isinstance(draft, str) or draft.rstrip("#") not in DRAFTS | {""}:
        raise BadSchema("only the drafts 6, 7, 2019-09 and 2020-12 are known.", ("$schema",))
    size = SchemaParts(schema).measure()
    sizes = [each for each in PATTERN_BYTES if each * size.patterns <= MAX_PATTERN_BYTES]
    for each in sizes:
        options = jsonschema_rs.RegexOptions(size_limit=each, dfa_size_limit=each)
        try:
            validator = jsonschema_rs.validator_for(schema, pattern_options=options, offline=True)
        except jsonschema_rs.ValidationError as error:
            bad = _at_its_place(error)
        else:
            return Checker(validator, parts=size.parts, pattern_bytes=size.patterns * each)
    raise bad


def _at_its_place(error: jsonschema_rs.ValidationError) -> BadSchema:
    place = tuple(error.instance_path)
    if place[-1:] == ("pattern",):
        reason = (
            "not a regular expression that runs in linear time: look-around and back-references "
            "are not taken, nor very large repetitions."
        )
        return BadSchema(reason, place)
    return BadSchema("not valid as JSON Schema.", place)
