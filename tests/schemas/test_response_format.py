"""`response_format`: the forms that an answer can have, and what is refused of a schema."""

from typing import Any

import orjson
import pytest

from tensoria.errors import InvalidRequest
from tensoria.schemas.base import Loaded
from tensoria.schemas.chat import load
from tensoria.wire.openai import ChatRequest

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SCHEMA = "response_format.json_schema.schema"


def loaded(response_format: Any) -> Loaded[ChatRequest]:
    return load(
        {
            "messages": [{"role": "user", "content": "hi"}],
            "response_format": response_format,
        }
    )


def with_schema(schema: Any, **members: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, **members}}


def refused(response_format: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        loaded(response_format)
    assert caught.value.code == "invalid_value"
    return caught.value


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize("value", [{"type": "text"}, None])
def test_text_is_the_default_and_means_absent(value: Any) -> None:
    found = loaded(value)
    assert "response_format" not in found.request
    assert found.ignored == ()


def test_json_object_is_taken() -> None:
    assert loaded({"type": "json_object"}).request["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, {}),
        ({"strict": True}, {"strict": True}),
        ({"strict": False}, {"strict": False}),
        ({"strict": None, "description": None}, {}),
        ({"description": "A city."}, {"description": "A city."}),
        ({"name": None}, {"name": "answer"}),
        ({"name": "a-B_9" * 12}, {"name": "a-B_9" * 12}),
    ],
)
def test_schema_is_taken_with_its_members(
    members: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = loaded(with_schema(CITY, **members))
    assert found.request["response_format"] == with_schema(CITY, **expected)
    assert found.ignored == ()


def test_order_of_properties_is_kept() -> None:
    """Models answer in this order, and think while they write."""
    schema = {"properties": {"zip": {}, "age": {}, "city": {}}}
    response_format = loaded(with_schema(schema)).request["response_format"]
    taken = response_format["json_schema"]["schema"]
    assert list(taken["properties"]) == ["zip", "age", "city"]


# (what is wrong, the field, the param)
WRONG: list[tuple[str, Any, str]] = [
    ("a string", "json_object", "response_format"),
    ("a list", [], "response_format"),
    ("no type", {}, "response_format.type"),
    ("an unknown type", {"type": "grammar"}, "response_format.type"),
    ("a type that is no string", {"type": ["text"]}, "response_format.type"),
    ("no json_schema", {"type": "json_schema"}, "response_format.json_schema"),
    (
        "a json_schema that is no object",
        {"type": "json_schema", "json_schema": "city"},
        "response_format.json_schema",
    ),
    ("no schema", {"type": "json_schema", "json_schema": {"name": "city"}}, SCHEMA),
    ("a boolean schema", with_schema(True), SCHEMA),
    ("a schema that is a list", with_schema([CITY]), SCHEMA),
    ("a schema that is a string", with_schema("{}"), SCHEMA),
    ("an empty name", with_schema(CITY, name=""), "response_format.json_schema.name"),
    ("a name too long", with_schema(CITY, name="a" * 65), "response_format.json_schema.name"),
    ("a name with a space", with_schema(CITY, name="a b"), "response_format.json_schema.name"),
    ("a name with a newline", with_schema(CITY, name="a\n"), "response_format.json_schema.name"),
    ("a name that is a number", with_schema(CITY, name=1), "response_format.json_schema.name"),
    ("strict as a string", with_schema(CITY, strict="yes"), "response_format.json_schema.strict"),
    (
        "a description that is a list",
        with_schema(CITY, description=[]),
        "response_format.json_schema.description",
    ),
    ("a type that there is not", with_schema({"type": "nonsense"}), f"{SCHEMA}.type"),
    (
        "a bad part inside",
        with_schema({"anyOf": [{}, {"properties": {"a": {"required": "b"}}}]}),
        f"{SCHEMA}.anyOf[1].properties.a.required",
    ),
    ("look-ahead", with_schema({"pattern": "(?=a)b"}), f"{SCHEMA}.pattern"),
    ("a back-reference", with_schema({"pattern": r"(a)\1"}), f"{SCHEMA}.pattern"),
    ("a giant pattern", with_schema({"pattern": "((a{999}){999}){999}"}), f"{SCHEMA}.pattern"),
    ("a pattern cut off", with_schema({"items": {"pattern": "["}}), f"{SCHEMA}.items.pattern"),
    ("a remote reference", with_schema({"$ref": "http://127.0.0.1:9/x"}), f"{SCHEMA}.$ref"),
    ("a reference to a file", with_schema({"$ref": "file:///etc/passwd"}), f"{SCHEMA}.$ref"),
    ("a reference to nothing", with_schema({"$ref": "#/$defs/x"}), f"{SCHEMA}.$ref"),
    ("a draft unknown", with_schema({"$schema": "http://127.0.0.1"}), f"{SCHEMA}.$schema"),
    ("too many levels", with_schema(nested(900)), SCHEMA),
    ("too many bytes", with_schema({"description": "a" * 131_072}), SCHEMA),
]


@pytest.mark.parametrize(
    ("value", "param"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_wrong_format_is_refused_at_its_place(value: Any, param: str) -> None:
    assert refused(value).param == param


def test_unknown_type_is_answered_with_those_that_there_are() -> None:
    error = refused({"type": "grammar"})
    assert "text, json_object, json_schema" in error.message


def test_missing_schema_is_named_in_the_message() -> None:
    error = refused({"type": "json_schema", "json_schema": {"name": "city"}})
    assert error.message == f"Invalid value for '{SCHEMA}': this field is required."


@pytest.mark.parametrize(
    ("value", "ignored"),
    [
        ({"type": "text", "x": 1}, ("response_format.x",)),
        ({"type": "text", "json_schema": None}, ()),
        (
            {"type": "json_object", "json_schema": {"schema": {}}},
            ("response_format.json_schema",),
        ),
        ({"type": "json_object", "schema": CITY}, ("response_format.schema",)),
        (with_schema(CITY, x=1), ("response_format.json_schema.x",)),
        ({**with_schema(CITY), "y": 1, "x": 2}, ("response_format.x", "response_format.y")),
    ],
)
def test_members_without_effect_are_told(value: Any, ignored: tuple[str, ...]) -> None:
    assert loaded(value).ignored == ignored


def test_refusal_repeats_no_value_of_the_schema() -> None:
    assert "secret" not in refused(with_schema({"type": "secret words"})).message
    assert "secret" not in refused(with_schema({"pattern": "secret[" * 9})).message


def test_schema_of_a_thousand_levels_from_the_wire_is_refused() -> None:
    """orjson reads it, and could not write it."""
    schema = orjson.loads(b'{"a":' * 1000 + b"1" + b"}" * 1000)
    assert refused(with_schema(schema)).param == SCHEMA
