"""`tools` and `tool_choice` of a message."""

from typing import Any

import pytest
from marshmallow import ValidationError, missing

from tensoria.errors import InvalidRequest
from tensoria.schemas.message_tools import (
    MessageToolChoice,
    MessageTools,
    ignored_in_choice,
    ignored_in_tools,
    settle,
)

TOOL = {"name": "f", "input_schema": {"type": "object"}}
HOUSE = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
EMPTY = {"type": "object", "properties": {}}
DEEP: Any = {}
for _ in range(70):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([TOOL], [HOUSE]),
        ([{**TOOL, "type": "custom"}, SEARCH], [HOUSE]),
        (
            [{"name": "f", "description": "d"}],
            [
                {
                    "type": "function",
                    "function": {"name": "f", "parameters": EMPTY, "description": "d"},
                }
            ],
        ),
        ([], missing),
        ([SEARCH], missing),
    ],
)
def test_tools_become_the_houses(value: Any, expected: Any) -> None:
    assert MessageTools().deserialize(value) == expected


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({}, []),
        ([5], [0]),
        ([TOOL] * 513, []),
        ([{**TOOL, "input_schema": DEEP}], []),
        ([{**TOOL, "description": "x" * 2**20}], []),
        ([{}], [0, "name"]),
        ([{**TOOL, "name": "a b"}], [0, "name"]),
        ([{**TOOL, "name": "a" * 129}], [0, "name"]),
        ([{**TOOL, "input_schema": "x"}], [0, "input_schema"]),
        ([{**TOOL, "description": 5}], [0, "description"]),
    ],
)
def test_a_wrong_tool_is_named(value: Any, place: list[Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        MessageTools().deserialize(value)

    messages: Any = raised.value.messages
    for key in place:
        messages = messages[key]
    assert isinstance(messages, list)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"type": "auto"}, {"type": "auto"}),
        ({"type": "any", "disable_parallel_tool_use": False}, {"type": "any"}),
        ({"type": "tool", "name": "f"}, {"type": "tool", "name": "f"}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_a_choice_is_taken(value: Any, expected: Any) -> None:
    assert MessageToolChoice().deserialize(value) == expected


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("auto", []),
        ({"type": "function"}, ["type"]),
        ({"type": []}, ["type"]),
        ({"type": "tool"}, ["name"]),
        ({"type": "auto", "disable_parallel_tool_use": 1}, ["disable_parallel_tool_use"]),
    ],
)
def test_a_wrong_choice_is_named(value: Any, place: list[Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        MessageToolChoice().deserialize(value)

    messages: Any = raised.value.messages
    for key in place:
        messages = messages[key]
    assert isinstance(messages, list)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, {}),
        ({"tools": [HOUSE]}, {"tools": [HOUSE]}),
        ({"tools": [HOUSE], "tool_choice": {"type": "auto"}}, {"tools": [HOUSE]}),
        ({"tools": [HOUSE], "tool_choice": {"type": "none"}}, {}),
        ({"tool_choice": {"type": "none", "disable_parallel_tool_use": True}}, {}),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, {}),
        (
            {"tools": [HOUSE], "tool_choice": {"type": "any"}},
            {"tools": [HOUSE], "tool_choice": {"type": "any"}},
        ),
        (
            {
                "tools": [HOUSE],
                "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            },
            {
                "tools": [HOUSE],
                "tool_choice": {"type": "tool", "name": "f"},
                "parallel_tool_calls": False,
            },
        ),
    ],
)
def test_a_choice_changes_the_tools(request_: Any, expected: Any) -> None:
    settle(request_)

    assert request_ == expected


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [HOUSE], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name"),
    ],
)
def test_a_choice_that_cannot_be_made_is_named(request_: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        settle(request_)

    assert raised.value.param == param


def test_tools_that_are_left_out_and_members_without_effect_are_named() -> None:
    tools = [
        {**TOOL, "strict": False, "defer_loading": None, "allowed_callers": ["direct"]},
        {**TOOL, "strict": True, "cache_control": {"type": "ephemeral"}},
        SEARCH,
    ]

    assert ignored_in_tools(tools) == {"tools.strict", "cache_control", "tools[2]"}


def test_members_of_a_choice_without_effect_are_named() -> None:
    choice = {"type": "auto", "name": "f", "disable_parallel_tool_use": True, "x": 1, "y": None}

    assert ignored_in_choice(choice) == {"tool_choice.x"}
