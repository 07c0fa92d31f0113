"""Which calls fit the tools that are offered."""

from typing import Any

import pytest

from tensoria.translate.offered import Call, Offered, fits, to_deltas
from tests.translate.tooling import TOOLS


@pytest.mark.parametrize(
    ("name", "arguments", "call"),
    [
        ("get_weather", {"city": "Oslo"}, Call("get_weather", '{"city":"Oslo"}')),
        ("get_weather", '{"city": "Oslo"}', Call("get_weather", '{"city":"Oslo"}')),
        ("get_time", {"zone": None}, Call("get_time", '{"zone":null}')),
        ("get_weather", {}, None),
        ("get_weather", "Oslo", None),
        ("get_weather", ["Oslo"], None),
        ("get_weather", None, None),
        ("get_date", {}, None),
        (None, {}, None),
        (["get_time"], {}, None),
    ],
)
def test_call(name: object, arguments: object, call: Call | None) -> None:
    assert Offered(TOOLS).call(name, arguments) == call


def test_arguments_that_are_nested_too_deeply_are_no_call() -> None:
    nested = "[" * 300 + "]" * 300

    assert Offered(TOOLS).call("get_time", f'{{"a": {nested}}}') is None


@pytest.mark.parametrize(
    ("schema", "fitting", "others"),
    [
        ({"type": "string"}, ["", "a"], [1, None, True, [], {}]),
        ({"type": "integer"}, [0, 5, 5.0], ["5", 5.5, True, None]),
        ({"type": "number"}, [0, 5.5], ["5", False]),
        ({"type": "boolean"}, [True, False], [0, "true"]),
        ({"type": "array"}, [[], [1]], [{}, "a"]),
        ({"type": "object"}, [{}], [[], None]),
        ({"type": "null"}, [None], [0, ""]),
        ({"type": ["string", "null"]}, ["a", None], [1]),
        ({"type": ["string", {}]}, ["a"], [1]),
        ({"type": "date"}, [1, "a"], []),
        ({"anyOf": []}, [1, "a"], []),
        (True, [1, "a"], []),
        (None, [1, "a"], []),
    ],
)
def test_types(schema: object, fitting: list[object], others: list[object]) -> None:
    parameters = {"type": "object", "properties": {"a": schema}}

    assert [value for value in fitting if not fits({"a": value}, parameters)] == []
    assert [value for value in others if fits({"a": value}, parameters)] == []


@pytest.mark.parametrize(
    ("parameters", "fit"),
    [
        ({}, True),
        ({"required": ["a"]}, True),
        ({"required": ["a", "b"]}, False),
        ({"required": ["a", "b"], "properties": {"a": {}}}, True),
        ({"required": ["a", "b"], "properties": {"b": {}}}, False),
        ({"required": "b"}, True),
        ({"required": [7, {}]}, True),
        ({"properties": ["a"]}, True),
        ({"properties": {"b": {"type": "string"}}}, True),
    ],
)
def test_odd_schemas(parameters: dict[str, Any], fit: bool) -> None:
    assert fits({"a": 1}, parameters) is fit


def test_texts_get_the_types_of_their_properties() -> None:
    properties = {
        "text": {"type": "string"},
        "either": {"type": ["integer", "string"]},
        "number": {"type": "number"},
    }
    tool: Any = {"function": {"name": "f", "parameters": {"properties": properties}}}
    texts = {"text": "5", "either": "5", "number": "5", "other": "no", "nothing": "null"}

    assert Offered([tool]).typed("f", texts) == {
        "text": "5",
        "either": "5",
        "number": 5,
        "other": "no",
        "nothing": None,
    }


def test_deltas_have_ids_that_stay_the_same() -> None:
    calls = [Call("f", "{}"), Call("f", "{}")]
    first, second = to_deltas(calls, "chatcmpl-1")

    assert [first, second] == to_deltas(calls, "chatcmpl-1")
    assert (first["index"], second["index"]) == (0, 1)
    assert first["id"] != second["id"]
    assert first["function"] == {"name": "f", "arguments": "{}"}
