"""Schemas of clients: what is compiled, what fits, and what would take too long."""

from typing import Any

import pytest

from tensoria.translate.json_schema import to_checker
from tensoria.translate.schema_parts import MAX_PARTS, BadSchema

TREE = {
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {"left": {"$ref": "#/$defs/tree"}, "right": {"$ref": "#/$defs/tree"}},
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/tree",
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TUPLE = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}

# (schema, text, whether it fits)
ANSWERS: list[tuple[dict[str, Any], str, bool]] = [
    (PERSON, '{"name": "Maria", "age": 34}', True),
    (PERSON, '\n {"age": 34, "name": "Maria"}\n', True),
    (PERSON, '{"name": "Maria", "age": 34.0}', True),
    (PERSON, '{"name": "Maria"}', False),
    (PERSON, '{"name": "Maria", "age": "34"}', False),
    (PERSON, '{"name": "Maria", "age": -1}', False),
    (PERSON, '{"name": "Maria", "age": 34, "zip": 4000}', False),
    (PERSON, '{"name": "Maria", "age": 34', False),
    (PERSON, '```json\n{"name": "Maria", "age": 34}\n```', False),
    (PERSON, "", False),
    ({}, "NaN", False),
    ({}, "null", True),
    ({}, '{"a": 1} and more', False),
    (TREE, '{"left": {"right": {}}}', True),
    (TREE, '{"left": {"middle": {}}}', False),
    (TUPLE, '["a", 1]', True),
    (TUPLE, "[1]", False),
    ({"prefixItems": [{"type": "string"}]}, "[1]", False),
    (
        {"$id": "https://example.com/x", "$ref": "#/$defs/a", "$defs": {"a": {"const": 1}}},
        "1",
        True,
    ),
    ({"$defs": {"a/b~": False}, "$ref": "#/$defs/a~1b~0"}, "1", False),
    ({"anyOf": [{"const": 1}, {"$ref": "#/anyOf/0"}]}, "1", True),
    ({"properties": {"$id": {"type": "string"}, "$ref": {}}}, '{"$id": 1}', False),
    ({"default": {"$ref": "http://127.0.0.1:9/", "$id": "x"}}, "1", True),
]


@pytest.mark.parametrize(("schema", "text", "fits"), ANSWERS)
def test_text_fits_or_does_not(schema: dict[str, Any], text: str, fits: bool) -> None:
    assert to_checker(schema).fits(text) is fits


def test_equal_schemas_are_compiled_once() -> None:
    assert to_checker({"minimum": 5}) is to_checker({"minimum": 5})


# (what is wrong, schema, place)
BAD: list[tuple[str, dict[str, Any], tuple[str | int, ...]]] = [
    ("a draft that is a number", {"$schema": 5}, ("$schema",)),
    ("draft 4", {"$schema": "http://json-schema.org/draft-04/schema#"}, ("$schema",)),
    ("an id inside", {"not": {"$id": "x"}}, ("not", "$id")),
    ("an anchor", {"$ref": "#x", "$defs": {"x": {"$anchor": "x"}}}, ("$ref",)),
    ("a dynamic anchor", {"items": {"$dynamicRef": "#x"}}, ("items", "$dynamicRef")),
    ("a reference into data", {"default": {"a": {}}, "$ref": "#/default/a"}, ("$ref",)),
    ("a reference past a list", {"anyOf": [{}], "not": {"$ref": "#/anyOf/1"}}, ("not", "$ref")),
    (
        "a reference to a number that nobody reads",
        {"anyOf": [{}], "not": {"$ref": "#/anyOf/" + "1" * 5000}},
        ("not", "$ref"),
    ),
    ("a reference into text", {"title": "a", "$ref": "#/title/0"}, ("$ref",)),
    ("a pattern of names", {"patternProperties": {"(?=a)": {}}}, ("patternProperties", "(?=a)")),
]


@pytest.mark.parametrize(("schema", "place"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_schema_is_refused_at_its_place(
    schema: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    with pytest.raises(BadSchema) as caught:
        to_checker(schema)
    assert caught.value.place == place


@pytest.mark.parametrize("levels", [65, 900])
def test_schema_may_have_64_levels_and_no_more(levels: int) -> None:
    def nested(levels: int) -> dict[str, Any]:
        schema: dict[str, Any] = {}
        for _ in range(levels):
            schema = {"not": schema}
        return schema

    to_checker(nested(64))
    with pytest.raises(BadSchema, match="more than 64 levels deep"):
        to_checker(nested(levels))


def chain(links: int, *, times: int = 1) -> dict[str, Any]:
    """Each definition refers to the one before it, so many times."""
    definitions: dict[str, Any] = {"a0": {"type": "string"}}
    for n in range(1, links):
        definitions[f"a{n}"] = {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * times}
    return {"$defs": definitions, "$ref": f"#/$defs/a{links - 1}"}


def test_references_that_double_thirty_times_are_refused() -> None:
    """A thousand bytes that take the validator eleven seconds for one value."""
    with pytest.raises(BadSchema, match=f"more than {MAX_PARTS} parts"):
        to_checker(chain(30, times=2))


def test_long_chain_of_references_is_followed() -> None:
    checker = to_checker(chain(2000))
    assert checker.fits('"text"')
    assert not checker.fits("1")


def test_definitions_that_refer_to_each_other_count_once_a_reference() -> None:
    """As generated for a language's syntax tree: everything can stand in everything."""
    names = [f"d{n}" for n in range(40)]
    anything = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/any"}}}
    schema = {"$ref": "#/$defs/any", "$defs": {"any": anything, **dict.fromkeys(names, node)}}
    assert to_checker(schema).fits('{"next": {"next": {}}}')


def test_recursive_alternatives_do_not_double_with_each_level() -> None:
    """Two equal branches and an answer of 60 levels: tried one by one it would never end."""
    schema = {"type": "object", "anyOf": [{"properties": {"x": {"$ref": "#"}}}] * 2}
    assert not to_checker(schema).fits('{"x":' * 60 + "1" + "}" * 60)


def test_references_in_a_circle_end() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#"}}}
    assert to_checker(schema).fits("1")


def test_pattern_that_takes_others_for_ever_is_over_at_once() -> None:
    """Backtracking would take two to the power of 40 000 steps."""
    assert not to_checker({"pattern": "^(a+)+$"}).fits('"' + "a" * 40_000 + '!"')


@pytest.mark.parametrize("levels", [64, 65, 900])
def test_answer_may_be_nested_more_deeply_than_a_schema(levels: int) -> None:
    assert to_checker({"items": {"$ref": "#"}}).fits("[" * levels + "]" * levels)


# Each would keep the worker for seconds: (what is large, schema)
LARGE: list[tuple[str, dict[str, Any]]] = [
    ("many patterns", {"allOf": [{"pattern": f"a{n}"} for n in range(1001)]}),
    ("many patterns of names", {"patternProperties": {f"a{n}": {} for n in range(1001)}}),
    (
        "one pattern, referred to often",
        {
            "$defs": {"a": {"pattern": "a"}},
            "allOf": [{"$ref": "#/$defs/a"} for _ in range(1001)],
        },
    ),
    ("large patterns", {"allOf": [{"pattern": rf"\p{{L}}{{9}}{n}"} for n in range(200)]}),
    ("many values", {"enum": list(range(MAX_PARTS))}),
    ("many nested values", {"enum": [{"a": n} for n in range(2000)]}),
    ("a large constant", {"const": {"a": list(range(2000))}}),
]


@pytest.mark.parametrize("schema", [row[1] for row in LARGE], ids=[row[0] for row in LARGE])
def test_schema_that_is_too_large_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(BadSchema):
        to_checker(schema)


def test_patterns_of_usual_size_are_taken() -> None:
    patterns = [r"^.{1,200}$", r"^[\w.+-]{1,64}@[\w-]{1,63}$", r"^\d{4}-\d{2}-\d{2}$"]
    schema = {"anyOf": [{"pattern": pattern} for pattern in patterns * 40]}
    assert to_checker(schema).fits('"2026-11-23"')


def test_answer_too_long_for_its_schema_does_not_fit() -> None:
    """Five thousand values against five thousand alternatives took a quarter of a second."""
    schema = {"items": {"not": {"anyOf": [{"const": n} for n in range(5000)]}}}
    assert to_checker(schema).fits('["a"' + ',"a"' * 1000 + "]")
    assert not to_checker(schema).fits('["a"' + ',"a"' * 50_000 + "]")


def test_text_too_long_for_its_patterns_does_not_fit() -> None:
    """A large pattern that begins anywhere took a tenth of a millisecond for each letter."""
    schema = {"not": {"pattern": "(a|ba?b?){400}[!b]c?$"}}
    assert to_checker(schema).fits('"' + "ac" * 5_000 + '"')
    assert not to_checker(schema).fits('"' + "ac" * 500_000 + '"')


def test_answer_too_deep_to_be_read_does_not_fit() -> None:
    assert not to_checker({}).fits("[" * 100_000 + "]" * 100_000)
