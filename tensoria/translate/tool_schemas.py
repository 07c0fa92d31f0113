"""The JSON schema of a function's arguments, in the few members that Ollama keeps.

Ollama decodes `parameters` into a struct, and what the struct does not know is gone before the
template sees it: `default`, bounds, `pattern`, `format`, `const`, `oneOf`, `allOf`, `$ref` …; a
boolean in place of a schema is a 400. So references are put in place, and what would be lost is
told in the description, which every template prints.
"""

from typing import Any

import orjson

from tensoria.translate.schema_budget import Budget

MAX_DEPTH = 40
# A constraint may be a whole schema, and a description is paid for in tokens.
MAX_WORDS = 400
MAX_TEXT = 1000
_PLAIN = frozenset({"type", "description", "enum"})
_SHAPE = frozenset({"type", "description", "enum", "items", "anyOf", "properties", "required"})
# They say nothing about a value, or they have done their part.
_SILENT = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "strict"}
)
_MERGED = ("$ref", "allOf", "oneOf", "anyOf", "const")

Schema = dict[str, Any]


def to_parameters(schema: Schema, *, nested: bool, budget: Budget) -> tuple[Schema, str]:
    """Return `parameters`, and what of the schema itself has no place in them, in words.

    `nested` tells whether the release keeps the properties of a property.
    """
    budget.begin()
    walk = _Walk(schema, nested=nested, budget=budget)
    merged, place = walk.merged(schema, _Place())
    properties = merged.get("properties")
    parameters: Schema = {
        "type": "object",
        "properties": walk.properties(properties, place) if isinstance(properties, dict) else {},
    }
    if required := _names(merged.get("required")):
        parameters["required"] = required
    lost = {key: value for key, value in merged.items() if key not in _SHAPE or key == "anyOf"}
    return parameters, _in_words(lost)


class _Place:
    """Where a schema stands: how deep, and inside which references."""

    __slots__ = ("depth", "refs")

    def __init__(self, depth: int = 0, refs: frozenset[str] = frozenset()) -> None:
        self.depth = depth
        self.refs = refs

    def below(self, ref: str | None = None) -> "_Place":
        return _Place(self.depth + 1, self.refs if ref is None else self.refs | {ref})


class _Walk:
    """One pass over one schema."""

    def __init__(self, root: Schema, *, nested: bool, budget: Budget) -> None:
        self._root = root
        # Inside words everything can be told, and inside `items` every release keeps everything.
        self._inner: _Walk = self if nested else _Walk(root, nested=True, budget=budget)
        self._budget = budget

    def properties(self, found: Schema, place: _Place) -> Schema:
        """Return properties; one that allows no value (`false`) is left out."""
        self._budget.take(len(found))
        return {
            name: schema
            if isinstance(schema, dict) and schema.keys() <= _PLAIN and _is_plain(schema)
            else self.shape(schema, place.below())
            for name, schema in found.items()
            if schema is not False
        }

    def shape(self, schema: Any, place: _Place) -> Schema:
        """Return a schema below the top in the members that are kept."""
        if not isinstance(schema, dict):
            return {}
        if self._budget.spent or place.depth > MAX_DEPTH:
            return {"description": "(shortened)"}
        self._budget.take()
        merged, place = self.merged(schema, place)
        kept, lost = self._split(merged, place)
        words = _in_words(lost)
        description = merged.get("description")
        if isinstance(description, str) and description:
            kept["description"] = f"{description} {words}" if words else description
        elif words:
            kept["description"] = words
        return kept

    def merged(self, schema: Schema, place: _Place) -> tuple[Schema, _Place]:
        """Return a schema with what it refers to and what is common to it put into it."""
        if schema.keys().isdisjoint(_MERGED):
            return schema, place
        schema = dict(schema)
        if "$ref" in schema:
            schema, place = self._referred(schema, place)
        if isinstance(schema.get("allOf"), list):
            schema, place = self._common(schema, place)
        if "anyOf" not in schema and isinstance(schema.get("oneOf"), list):
            schema["anyOf"] = schema.pop("oneOf")
        if "enum" not in schema and "const" in schema:
            schema["enum"] = [schema.pop("const")]
        return self._optional(schema, place)

    def _referred(self, schema: Schema, place: _Place) -> tuple[Schema, _Place]:
        ref = schema.pop("$ref")
        target = self._target(ref)
        if target is not None and ref not in place.refs:
            self._budget.take_target(ref, target)
        if target is None or ref in place.refs or place.depth > MAX_DEPTH or self._budget.spent:
            # Its own parent, or nothing of ours: its name has to do.
            return {**schema, "like": str(ref).rpartition("/")[2]}, place
        inner, place = self.merged(target, place.below(ref))
        return {**inner, **schema}, place

    def _target(self, ref: object) -> Schema | None:
        """Return what a reference inside this schema points to (a JSON pointer), or None."""
        if not isinstance(ref, str) or not ref.startswith("#"):
            return None
        found: Any = self._root
        for step in filter(None, ref[1:].split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                return None
            found = found[key]
        return found if isinstance(found, dict) else None

    def _common(self, schema: Schema, place: _Place) -> tuple[Schema, _Place]:
        parts = schema.pop("allOf")
        together: Schema = {}
        refs = place.refs
        for part in (*parts, schema):
            if not isinstance(part, dict) or place.depth > MAX_DEPTH or self._budget.spent:
                continue
            self._budget.take()
            inner, there = (
                (part, place)
                if part is schema
                else self.merged(part, _Place(place.depth + 1, refs))
            )
            refs |= there.refs
            _join(together, inner)
        return together, _Place(place.depth + 1, refs)

    def _optional(self, schema: Schema, place: _Place) -> tuple[Schema, _Place]:
        """Make one schema of "this or null", as pydantic writes Optional."""
        forms = schema.get("anyOf")
        if not isinstance(forms, list) or len(forms) != 2 or {"type": "null"} not in forms:
            return schema, place
        form = next((one for one in forms if one != {"type": "null"}), None)
        if not isinstance(form, dict):
            return schema, place
        inner, there = self.merged(form, place.below())
        if not isinstance(inner.get("type"), str):
            return schema, place
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**inner, **rest, "type": [inner["type"], "null"]}, there

    def _split(self, schema: Schema, place: _Place) -> tuple[Schema, Schema]:
        """Return the members that are kept, and those that have to be told."""
        kept: Schema = {}
        lost = {key: value for key, value in schema.items() if key not in _SHAPE}
        if _is_type(schema.get("type")):
            kept["type"] = schema["type"]
        if isinstance(schema.get("enum"), list):
            kept["enum"] = schema["enum"]
        if isinstance(items := schema.get("items"), dict):
            kept["items"] = self._inner.shape(items, place.below())
        elif isinstance(items, list):
            lost["items"] = items
        if isinstance(forms := schema.get("anyOf"), list):
            inner = [self._inner.shape(one, place.below()) for one in forms]
            (kept if self._inner is self else lost)["anyOf"] = inner
        if isinstance(properties := schema.get("properties"), dict):
            told = self._inner.properties(properties, place)
            (kept if self._inner is self else lost)["properties"] = told
        if required := _names(schema.get("required")):
            # Which release keeps these of a property is not told anywhere: so both.
            kept["required"] = lost["required"] = required
        return kept, lost


def _join(together: Schema, part: Schema) -> None:
    for key, value in part.items():
        before = together.get(key)
        if key == "properties" and isinstance(before, dict) and isinstance(value, dict):
            together[key] = {**before, **value}
        elif key == "required" and isinstance(before, list) and isinstance(value, list):
            together[key] = [*before, *value]
        else:
            together[key] = value


def _is_plain(schema: Schema) -> bool:
    return (
        ("type" not in schema or _is_type(schema["type"]))
        and isinstance(schema.get("description", ""), str)
        and isinstance(schema.get("enum", []), list)
    )


def _is_type(value: object) -> bool:
    return isinstance(value, str) or bool(_names(value))


def _names(value: object) -> list[str]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return []


def _in_words(lost: Schema) -> str:
    """Return `(minimum 1; default "a")`; what nobody needs to be told is left out."""
    told = [
        f"{key} {orjson.dumps(value).decode()[:MAX_WORDS]}"
        for key, value in lost.items()
        if key not in _SILENT
        and not (key == "default" and value is None)
        and not (key == "additionalProperties" and isinstance(value, bool))
    ]
    return f"({'; '.join(told)[:MAX_TEXT]})" if told else ""
