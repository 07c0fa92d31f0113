"""Anthropic's request to the house's chat."""

from typing import Any, cast

import pytest

from tensoria.translate.messages import (
    form_of,
    thoughts_of,
    to_chat,
    to_messages,
    to_name,
)

HI: Any = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
URL = "data:image/png;base64,AAAA"
IMAGE = {"type": "image", "url": URL}
PART = {"type": "image_url", "image_url": {"url": URL}}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def result(id_: str, *content: Any, is_error: bool = False) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": id_,
        "content": list(content),
        "is_error": is_error,
    }


def turn(role: str, *blocks: Any) -> Any:
    return {"role": role, "content": list(blocks)}


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([turn("user", text("a"), text("b"))], [{"role": "user", "content": "a\nb"}]),
        ([turn("user")], [{"role": "user", "content": ""}]),
        (
            [turn("user", text("a")), turn("user", text("b"))],
            [{"role": "user", "content": "a\nb"}],
        ),
        (
            [turn("user", text("a")), turn("system", text("s")), turn("user", text("b"))],
            [
                {"role": "user", "content": "a"},
                {"role": "system", "content": "s"},
                {"role": "user", "content": "b"},
            ],
        ),
        (
            [turn("user", text("a"), IMAGE)],
            [
                {
                    "role": "user",
                    "content": "a",
                    "parts": [{"type": "text", "text": "a"}, PART],
                }
            ],
        ),
        ([turn("assistant", text("The"))], [{"role": "assistant", "content": "The"}]),
        (
            [
                turn(
                    "assistant",
                    {"type": "thinking", "thinking": "a"},
                    {"type": "thinking", "thinking": ""},
                    {"type": "thinking", "thinking": "b"},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
                )
            ],
            [
                {
                    "role": "assistant",
                    "content": "",
                    "reasoning_content": "a\n\nb",
                    "tool_calls": [
                        {
                            "id": "t",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"x":1}'},
                        }
                    ],
                }
            ],
        ),
        (
            [turn("user", text("q"), result("t", text("r")), result("u", text("s")))],
            [
                {"role": "tool", "content": "r", "tool_call_id": "t"},
                {"role": "tool", "content": "s", "tool_call_id": "u"},
                {"role": "user", "content": "q"},
            ],
        ),
        ([turn("user", result("", text("r")))], [{"role": "tool", "content": "r"}]),
        (
            [turn("user", result("t", text("r"), is_error=True))],
            [{"role": "tool", "content": "Error: r", "tool_call_id": "t"}],
        ),
        (
            [turn("user", result("t", is_error=True))],
            [
                {
                    "role": "tool",
                    "content": "Error: the tool failed and said nothing.",
                    "tool_call_id": "t",
                }
            ],
        ),
        (
            [turn("user", result("t", text("r"), IMAGE, is_error=True))],
            [
                {
                    "role": "tool",
                    "content": "Error: r",
                    "tool_call_id": "t",
                    "parts": [{"type": "text", "text": "Error: r"}, PART],
                }
            ],
        ),
    ],
)
def test_turns_become_the_houses_messages(turns: list[Any], expected: list[Any]) -> None:
    assert to_messages("", turns) == expected


def test_the_system_comes_first() -> None:
    assert to_messages("Be brief.", HI) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


def test_a_request_without_extras_asks_not_to_think() -> None:
    assert to_chat({"messages": HI, "model": "m", "max_tokens": 5}) == {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "Hi"}],
        "think": False,
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"stop_sequences": ["x"]}, {"stop": ["x"]}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
        (
            {"tool_choice": {"type": "tool", "name": "f"}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        ({"metadata": {"user_id": "u"}}, {"user": "u"}),
        ({"stream": False}, {}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"thinking": {"type": "disabled"}}, {"think": False}),
        ({"thinking": {"type": "enabled"}}, {"think": True}),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, {"think": "low"}),
        ({"output_config": {"effort": "low"}}, {"think": False}),
        (
            {"output_config": {"format": {"name": "a", "schema": {}}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {}},
                }
            },
        ),
        (
            {"output_format": {"name": "a", "schema": {}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {}},
                }
            },
        ),
        ({"seed": 5, "keep_alive": "5m", "top_k": 3}, {"seed": 5, "keep_alive": "5m", "top_k": 3}),
    ],
)
def test_fields_become_those_of_a_chat(fields: Any, expected: dict[str, Any]) -> None:
    chat = cast("dict[str, Any]", to_chat({"messages": HI, **fields}))
    common = {"messages": [{"role": "user", "content": "Hi"}], "think": False}

    assert chat == {**common, **expected}


def test_the_newer_place_of_a_schema_wins() -> None:
    newer: Any = {"name": "a", "schema": {"type": "object"}}
    older: Any = {"name": "a", "schema": {}}

    assert form_of({"output_config": {"format": newer}, "output_format": older}) == newer


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "hidden"),
        ({"thinking": {"type": "disabled"}}, "hidden"),
        ({"thinking": {"type": "enabled"}}, "shown"),
        ({"thinking": {"type": "between_tools"}}, "shown"),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, "shown"),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "omitted"),
    ],
)
def test_thoughts_are_told_to_who_asks_for_them(fields: Any, expected: str) -> None:
    assert thoughts_of(fields) == expected


def test_adjustments_have_the_clients_names() -> None:
    told = {"think": "low", "max_tokens": "9"}
    assert {to_name(name): value for name, value in told.items()} == {
        "thinking": "low",
        "max_tokens": "9",
    }
