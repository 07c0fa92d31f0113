"""Schemas of arguments: what Ollama keeps is kept, and the rest is told in words."""

from typing import Any

import orjson
import pytest

from tensoria.translate.schema_budget import Budget
from tensoria.translate.tool_schemas import MAX_TEXT, MAX_WORDS, to_parameters

STRING = {"type": "string"}


def one(schema: Any, *, nested: bool = True, **root: Any) -> Any:
    """What becomes of one property."""
    found, _ = to_parameters({"properties": {"x": schema}, **root}, nested=nested, budget=Budget())
    return found["properties"].get("x")


def told(words: str, **kept: Any) -> dict[str, Any]:
    return {**kept, "description": words}


# (name, a property, what becomes of it)
PROPERTIES: list[tuple[str, Any, Any]] = [
    ("a type", STRING, STRING),
    ("types", {"type": ["string", "null"]}, {"type": ["string", "null"]}),
    ("an enum", {"enum": [1, "a", None]}, {"enum": [1, "a", None]}),
    ("a description", told("d", type="string"), told("d", type="string")),
    ("anything", {}, {}),
    ("true", True, {}),
    ("a string", "x", {}),
    ("a default", {"default": "a", **STRING}, told('(default "a")', type="string")),
    ("a default of null", {"default": None, **STRING}, STRING),
    ("after a description", {"pattern": "a+", "description": "d"}, told('d (pattern "a+")')),
    (
        "bounds",
        {"type": "integer", "minimum": 1, "exclusiveMaximum": 5.5},
        told("(minimum 1; exclusiveMaximum 5.5)", type="integer"),
    ),
    ("a format", {"format": "date", **STRING}, told('(format "date")', type="string")),
    ("a const", {"const": "a"}, {"enum": ["a"]}),
    ("a const beside an enum", {"const": "a", "enum": ["a"]}, told('(const "a")', enum=["a"])),
    ("not", {"not": STRING}, told('(not {"type":"string"})')),
    ("names that say nothing", {"title": "X", "$id": "x", "$comment": "c", **STRING}, STRING),
    (
        "further properties or none",
        {"additionalProperties": False, "type": "object"},
        {"type": "object"},
    ),
    (
        "further properties of a kind",
        {"type": "object", "additionalProperties": STRING},
        told('(additionalProperties {"type":"string"})', type="object"),
    ),
    ("type a number", {"type": 5}, {}),
    ("type an empty list", {"type": []}, {}),
    ("enum no list", {"enum": "a"}, {}),
    ("description a number", {"description": 5, **STRING}, STRING),
    ("description empty", {"description": "", "minLength": 1}, told("(minLength 1)")),
    ("items", {"type": "array", "items": STRING}, {"type": "array", "items": STRING}),
    (
        "constraints of items",
        {"type": "array", "maxItems": 3, "items": {"minimum": 1}},
        told("(maxItems 3)", type="array", items=told("(minimum 1)")),
    ),
    ("items one by one", {"items": [STRING]}, told('(items [{"type":"string"}])')),
    ("items true", {"type": "array", "items": True}, {"type": "array"}),
    ("anyOf", {"anyOf": [STRING, {"minimum": 1}]}, {"anyOf": [STRING, told("(minimum 1)")]}),
    ("anyOf no list", {"anyOf": "x"}, {}),
    ("oneOf", {"oneOf": [STRING, True]}, {"anyOf": [STRING, {}]}),
    (
        "oneOf beside anyOf",
        {"anyOf": [STRING], "oneOf": [STRING]},
        told('(oneOf [{"type":"string"}])', anyOf=[STRING]),
    ),
    (
        "this or null",
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}], "default": None},
        told("(minLength 1)", type=["string", "null"]),
    ),
    (
        "null or several",
        {"anyOf": [{"type": "null"}, {"enum": [1]}]},
        {"anyOf": [{"type": "null"}, {"enum": [1]}]},
    ),
    (
        "null twice",
        {"anyOf": [{"type": "null"}, {"type": "null"}]},
        {"anyOf": [{"type": "null"}, {"type": "null"}]},
    ),
    ("null or true", {"anyOf": [{"type": "null"}, True]}, {"anyOf": [{"type": "null"}, {}]}),
    (
        "allOf",
        {
            "allOf": [
                {"properties": {"a": STRING}, "required": ["a"], "description": "first"},
                True,
                {"properties": {"b": STRING}, "required": ["b"]},
            ],
            "type": "object",
            "description": "d",
        },
        {
            "type": "object",
            "properties": {"a": STRING, "b": STRING},
            "required": ["a", "b"],
            "description": 'd (required ["a","b"])',
        },
    ),
    ("required no list", {"type": "object", "required": True}, {"type": "object"}),
    ("required of numbers", {"type": "object", "required": [1]}, {"type": "object"}),
    ("properties no object", {"type": "object", "properties": []}, {"type": "object"}),
    (
        "a property that allows nothing",
        {"properties": {"a": False, "b": STRING}},
        {"properties": {"b": STRING}},
    ),
]


@pytest.mark.parametrize(
    ("_name", "schema", "expected"), PROPERTIES, ids=[row[0] for row in PROPERTIES]
)
def test_property_keeps_what_ollama_keeps(_name: str, schema: Any, expected: Any) -> None:
    assert one(schema) == expected


def test_property_that_allows_nothing_is_left_out() -> None:
    assert one(False) is None


# (name, a property, what becomes of it in a release that drops inner properties and anyOf)
OLD: list[tuple[str, Any, Any]] = [
    (
        "inner properties",
        {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}},
        told(
            '(properties {"a":{"type":"integer","description":"(minimum 1)"}})',
            type="object",
        ),
    ),
    ("anyOf", {"anyOf": [STRING, True]}, told('(anyOf [{"type":"string"},{}])')),
    (
        "inside items everything is kept",
        {"items": {"type": "object", "properties": {"a": STRING}}},
        {"items": {"type": "object", "properties": {"a": STRING}}},
    ),
]


@pytest.mark.parametrize(("_name", "schema", "expected"), OLD, ids=[row[0] for row in OLD])
def test_old_release_is_told_in_words(_name: str, schema: Any, expected: Any) -> None:
    assert one(schema, nested=False) == expected


COLOR = {"type": "string", "enum": ["red"]}

# (name, a property, the definitions, what becomes of it)
REFERRED: list[tuple[str, Any, Any, Any]] = [
    ("a definition", {"$ref": "#/$defs/C"}, {"C": COLOR}, COLOR),
    (
        "its own words win",
        {"$ref": "#/$defs/C", "description": "d"},
        {"C": told("c", **COLOR)},
        told("d", **COLOR),
    ),
    ("through another", {"$ref": "#/$defs/B"}, {"B": {"$ref": "#/$defs/C"}, "C": COLOR}, COLOR),
    ("in allOf, as pydantic has it", {"allOf": [{"$ref": "#/$defs/C"}]}, {"C": COLOR}, COLOR),
    ("in items", {"items": {"$ref": "#/$defs/C"}}, {"C": COLOR}, {"items": COLOR}),
    (
        "or null",
        {"anyOf": [{"$ref": "#/$defs/C"}, {"type": "null"}]},
        {"C": COLOR},
        {"type": ["string", "null"], "enum": ["red"]},
    ),
    ("with escapes", {"$ref": "#/$defs/a~1b~0c"}, {"a/b~c": COLOR}, COLOR),
    ("of nothing", {"$ref": "#/$defs/D"}, {"C": COLOR}, told('(like "D")')),
    ("to what is no schema", {"$ref": "#/$defs/D"}, {"D": True}, told('(like "D")')),
    ("into a leaf", {"$ref": "#/$defs/C/type/x"}, {"C": COLOR}, told('(like "x")')),
    ("to another place", {"$ref": "http://x/y"}, {}, told('(like "y")')),
    ("of no string", {"$ref": 5}, {}, told('(like "5")')),
    (
        "to itself",
        {"$ref": "#/$defs/N"},
        {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}},
        {"type": "object", "properties": {"next": told('(like "N")')}},
    ),
    ("straight to itself", {"$ref": "#/$defs/N"}, {"N": {"$ref": "#/$defs/N"}}, told('(like "N")')),
]


@pytest.mark.parametrize(
    ("_name", "schema", "definitions", "expected"), REFERRED, ids=[row[0] for row in REFERRED]
)
def test_reference_is_put_in_place(
    _name: str, schema: Any, definitions: Any, expected: Any
) -> None:
    assert one(schema, **{"$defs": definitions}) == expected


# (name, a schema, the parameters, the words for the function's description)
ROOTS: list[tuple[str, Any, Any, str]] = [
    ("empty", {}, {"type": "object", "properties": {}}, ""),
    (
        "as pydantic has it",
        {
            "$schema": "s",
            "title": "T",
            "type": "object",
            "properties": {"a": STRING},
            "required": ["a"],
            "additionalProperties": False,
        },
        {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
        "",
    ),
    (
        "a reference",
        {"$ref": "#/$defs/P", "$defs": {"P": {"type": "object", "properties": {"a": STRING}}}},
        {"type": "object", "properties": {"a": STRING}},
        "",
    ),
    (
        "names of properties",
        {"propertyNames": {"pattern": "a"}},
        {"type": "object", "properties": {}},
        '(propertyNames {"pattern":"a"})',
    ),
    (
        "one of several objects",
        {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"type": "object", "properties": {}},
        '(anyOf [{"required":["a"]},{"required":["b"]}])',
    ),
    ("properties a list", {"properties": []}, {"type": "object", "properties": {}}, ""),
]


@pytest.mark.parametrize(
    ("_name", "schema", "parameters", "words"), ROOTS, ids=[row[0] for row in ROOTS]
)
def test_whole_schema(_name: str, schema: Any, parameters: Any, words: str) -> None:
    assert to_parameters(schema, nested=True, budget=Budget()) == (parameters, words)


def doubling(levels: int, refer: Any) -> dict[str, Any]:
    """Definitions of which each names the next one twice."""
    definitions = {f"d{n}": refer({"$ref": f"#/$defs/d{n + 1}"}) for n in range(levels)}
    return {**definitions, f"d{levels}": {"minLength": 1}}


@pytest.mark.parametrize(
    "refer",
    [
        lambda ref: {"properties": {"a": ref, "b": ref}},
        lambda ref: {"allOf": [ref, ref]},
        lambda ref: {"anyOf": [ref, ref, ref]},
        lambda ref: {"anyOf": [ref, {"type": "null"}]},
        lambda ref: ref,
    ],
    ids=["properties", "allOf", "anyOf", "optional", "chain"],
)
@pytest.mark.parametrize("levels", [30, 3000])
@pytest.mark.parametrize("nested", [True, False])
def test_definitions_that_explode_are_bounded(refer: Any, levels: int, nested: bool) -> None:
    found = one({"$ref": "#/$defs/d0"}, nested=nested, **{"$defs": doubling(levels, refer)})
    assert len(orjson.dumps(found)) < 1_000_000


def test_long_definition_that_is_named_a_thousand_times_is_bounded() -> None:
    """It has few nodes, and thousand times its letters are many."""
    properties = {f"p{number}": {"$ref": "#/$defs/long"} for number in range(1000)}
    schema = {"properties": properties, "$defs": {"long": {"enum": ["x" * 10_000]}}}
    found, _ = to_parameters(schema, nested=True, budget=Budget())
    assert found["properties"]["p0"] == {"enum": ["x" * 10_000]}
    assert len(orjson.dumps(found)) < 1_000_000


def test_all_schemas_of_a_request_together_are_bounded() -> None:
    definitions = doubling(30, lambda ref: {"properties": {"a": ref, "b": ref}})
    schema = {"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": definitions}
    budget = Budget()
    sizes = [
        len(orjson.dumps(to_parameters(schema, nested=True, budget=budget))) for _ in range(500)
    ]
    assert sizes[0] > 10_000
    assert sizes[-1] < 100


def test_deep_schema_is_shortened() -> None:
    deep = orjson.loads(b'{"items":' * 60 + b"{}" + b"}" * 60)
    assert b'"(shortened)"' in orjson.dumps(one(deep))


def test_long_words_are_cut() -> None:
    assert len(one({"pattern": "a" * 9999})["description"]) < MAX_WORDS + 20
    many = {f"x-{n}": "a" * 300 for n in range(99)}
    assert len(one(many)["description"]) == MAX_TEXT + 2


def test_schema_is_left_as_it_was() -> None:
    schema = {
        "$defs": {"C": {"const": "a"}},
        "properties": {"x": {"allOf": [{"$ref": "#/$defs/C"}], "oneOf": [STRING]}},
    }
    before = orjson.dumps(schema)
    to_parameters(schema, nested=True, budget=Budget())
    assert orjson.dumps(schema) == before
