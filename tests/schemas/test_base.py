"""The strict fields, each as a table of (value, what comes out) and of values that are refused."""

from typing import Any

import pytest
from marshmallow import Schema, fields

from tensoria.errors import InvalidRequest
from tensoria.schemas.base import (
    MAX_NAME,
    Flag,
    Loaded,
    ModelName,
    Number,
    Taken,
    Text,
    Whole,
    kind,
    load,
)


class Body(Schema):
    """One field of each kind."""

    needed = Text(required=True)
    text = Text()
    name = ModelName()
    flag = Flag()
    number = Number(minimum=-2, maximum=2)
    whole = Whole(minimum=-5)
    taken = Taken(1, "auto", True, {"type": "text"}, [], {})
    passed = Taken()


def outcome(**members: Any) -> Any:
    return load(Body, {"needed": "n", **members})


def refused(**members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        outcome(**members)
    return caught.value


TAKEN = [
    ("text", "", ""),
    ("text", "olá", "olá"),
    ("name", "", ""),
    ("name", "é" * MAX_NAME, "é" * MAX_NAME),
    ("flag", True, True),
    ("flag", False, False),
    ("number", 0, 0),
    ("number", -2, -2),
    ("number", 2.0, 2.0),
    ("number", 1e-300, 1e-300),
    ("whole", 5, 5),
    ("whole", 5.0, 5),
    ("whole", -5, -5),
    ("whole", 2**63 - 1, 2**63 - 1),
]
# (field, value, words of the message)
REFUSED = [
    ("text", 1, "expected a string, got a number"),
    ("text", True, "expected a string, got a boolean"),
    ("text", [], "expected a string, got an array"),
    ("text", {}, "expected a string, got an object"),
    ("name", 1, "expected a string, got a number"),
    ("name", "a" * (MAX_NAME + 1), "expected at most 1000 characters, got 1001"),
    ("flag", 1, "expected true or false, got a number"),
    ("flag", 0, "expected true or false, got a number"),
    ("flag", "true", "expected true or false, got a string"),
    ("flag", "off", "expected true or false, got a string"),
    ("flag", "", "expected true or false, got a string"),
    ("flag", [], "expected true or false, got an array"),
    ("number", True, "expected a number, got a boolean"),
    ("number", "1", "expected a number, got a string"),
    ("number", "1_0", "expected a number, got a string"),
    ("number", "nan", "expected a number, got a string"),
    ("number", [1], "expected a number, got an array"),
    ("number", 2.0000001, "not between -2 and 2"),
    ("number", -3, "not between -2 and 2"),
    ("number", float("nan"), "not between -2 and 2"),
    ("number", float("inf"), "not between -2 and 2"),
    ("number", 10**30, "not between -2 and 2"),
    ("whole", True, "expected a whole number, got a boolean"),
    ("whole", False, "expected a whole number, got a boolean"),
    ("whole", 5.5, "expected a whole number, got a number"),
    ("whole", "5", "expected a whole number, got a string"),
    ("whole", "1_0", "expected a whole number, got a string"),
    ("whole", {}, "expected a whole number, got an object"),
    ("whole", float("inf"), "expected a whole number"),
    ("whole", float("nan"), "expected a whole number"),
    ("whole", -6, "not between -5 and"),
    ("whole", 2**63, "not between -5 and"),
    ("whole", 1.8446744073709552e19, "not between -5 and"),
]


@pytest.mark.parametrize(("name", "value", "expected"), TAKEN)
def test_value_of_the_right_type_is_taken(name: str, value: object, expected: object) -> None:
    found = outcome(**{name: value}).request[name]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_value_of_a_wrong_type_or_size_is_refused(name: str, value: object, words: str) -> None:
    error = refused(**{name: value})
    assert (error.param, error.code, error.status) == (name, "invalid_value", 400)
    assert error.message.startswith(f"Invalid value for '{name}': ")
    assert words in error.message


@pytest.mark.parametrize("name", ["text", "flag", "number", "whole", "taken", "passed"])
def test_null_means_absent(name: str) -> None:
    assert outcome(**{name: None}) == Loaded({"needed": "n"}, ())


@pytest.mark.parametrize("body", [{}, {"needed": None}])
def test_required_field_that_is_missing_is_named(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"'needed': this field is required\.") as caught:
        load(Body, body)
    assert caught.value.param == "needed"


def test_missing_field_is_named_before_a_wrong_one() -> None:
    with pytest.raises(InvalidRequest) as caught:
        load(Body, {"flag": "wrong"})
    assert caught.value.param == "needed"


@pytest.mark.parametrize("body", [None, [], "text", 1, True, [{}]])
def test_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(InvalidRequest, match="must be a JSON object") as caught:
        load(Body, body)
    assert caught.value.param is None


def test_unknown_names_are_told_and_not_refused() -> None:
    loaded = outcome(zebra=1, anon={"deep": [1]}, text="t")
    assert loaded == Loaded({"needed": "n", "text": "t"}, ("anon", "zebra"))


@pytest.mark.parametrize("name", ["needed.x", "", "__class__", "only", "a\nb", "fields"])
def test_hostile_name_is_one_more_unknown_name(name: str) -> None:
    assert outcome(**{name: 1}).ignored == (name,)


def test_unknown_name_with_null_is_absent() -> None:
    assert outcome(zebra=None).ignored == ()


@pytest.mark.parametrize("value", [1, 1.0, "auto", True, {"type": "text"}, [], {}])
def test_default_of_a_taken_field_is_absent(value: object) -> None:
    assert outcome(taken=value) == Loaded({"needed": "n"}, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("taken", 2),
        ("taken", "1"),
        ("taken", False),
        ("taken", ""),
        ("taken", 0),
        ("taken", {"type": "json_object"}),
        ("taken", [1]),
        ("passed", False),
        ("passed", 0),
        ("passed", ""),
        ("passed", {}),
        ("passed", []),
    ],
)
def test_other_value_of_a_taken_field_is_kept_as_it_is(name: str, value: object) -> None:
    assert outcome(**{name: value}) == Loaded({"needed": "n", name: value}, ())


def test_true_is_not_the_default_one() -> None:
    """They are equal in Python, and not in JSON."""

    class OnlyOne(Schema):
        count = Taken(1)

    assert load(OnlyOne, {"count": True}).request == {"count": True}


def test_message_of_a_huge_number_is_short() -> None:
    assert len(refused(whole=1e308).message) < 500


def test_body_is_not_changed() -> None:
    body = {"needed": "n", "zebra": 1, "text": None, "whole": 5.0}
    before = dict(body)
    load(Body, body)
    assert body == before


def test_error_inside_a_nested_field_has_its_path() -> None:
    """Lists as `[3]`, names after a dot."""

    class Pair(Schema):
        inner = fields.List(fields.Nested(Body(only=("needed", "whole"))))

    with pytest.raises(InvalidRequest) as caught:
        load(Pair, {"inner": [{"needed": "n"}, {"needed": "n", "whole": "x"}]})
    assert caught.value.param == "inner[1].whole"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("", "a string"),
        (True, "a boolean"),
        (1, "a number"),
        (1.5, "a number"),
        (None, "null"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_kind_is_jsons_word(value: object, word: str) -> None:
    assert kind(value) == word
