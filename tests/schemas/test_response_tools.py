"""`tools` and `tool_choice` of a response."""

from typing import Any

import pytest

from tensoria.errors import RequestError
from tensoria.schemas.responses import load

SCHEMA = {"type": "object", "properties": {}}
LOOK = {"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA}
SAY = {"type": "function", "name": "say", "parameters": SCHEMA}
SEARCH = {"type": "web_search"}
LOOK_CHOICE = {"type": "function", "name": "look"}


def loaded(**members: Any) -> dict[str, Any]:
    return {**load({"input": "Hi", **members}).request}


def refusal(**members: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load({"input": "Hi", **members})
    return caught.value


def names(request: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in request.get("tools", ())]


def test_a_function_is_a_chats_and_is_told_again() -> None:
    request = loaded(tools=[LOOK])

    assert request["tools"] == [
        {
            "type": "function",
            "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA},
        }
    ]
    assert request["echo"]["tools"] == [{**LOOK, "strict": False}]
    assert request["echo"]["tool_choice"] == "auto"
    assert request["echo"]["parallel_tool_calls"] is True


def test_a_function_without_parameters_or_description_takes_none() -> None:
    assert loaded(tools=[{"type": "function", "name": "look"}])["echo"]["tools"] == [
        {**LOOK, "description": None, "strict": False}
    ]


def test_what_has_no_effect_is_named() -> None:
    told = load(
        {
            "input": "Hi",
            "tools": [SEARCH, {**LOOK, "strict": True}, {**SAY, "strict": False}],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [SEARCH, LOOK_CHOICE],
            },
        }
    )

    assert told.ignored == ("tool_choice.tools[0]", "tools.strict", "tools[0]")
    assert names({**told.request}) == ["look"]


def test_no_tools_are_left_where_none_may_be_called() -> None:
    request = loaded(tools=[LOOK], tool_choice="none", parallel_tool_calls=False)

    assert "tools" not in request
    assert "tool_choice" not in request
    assert request["echo"]["tool_choice"] == "none"
    assert request["echo"]["tools"] == [{**LOOK, "strict": False}]
    assert request["echo"]["parallel_tool_calls"] is False


def test_a_function_by_name_is_forced() -> None:
    request = loaded(tools=[LOOK, SAY], tool_choice=LOOK_CHOICE)

    assert request["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert request["echo"]["tool_choice"] == LOOK_CHOICE


def test_of_allowed_functions_one_is_forced() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [LOOK_CHOICE]}
    request = loaded(tools=[LOOK, SAY], tool_choice=choice)

    assert names(request) == ["look"]
    assert request["tool_choice"] == "required"
    assert request["echo"]["tool_choice"] == choice


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"tools": 5}, "tools", "expected an array"),
    ({"tools": [5]}, "tools[0]", "expected an object"),
    ({"tools": [{"type": "function"}]}, "tools[0].name", "1 to 64 letters"),
    ({"tools": [{**LOOK, "parameters": 5}]}, "tools[0].parameters", "expected an object"),
    ({"tool_choice": 5}, "tool_choice", "expected a string or an object"),
    ({"tool_choice": {"type": "odd"}}, "tool_choice.type", "allowed_tools, function"),
    ({"tool_choice": {"type": []}}, "tool_choice.type", "allowed_tools, function"),
    ({"tool_choice": {"type": "mcp"}}, "tool_choice.type", "only functions can be called"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.name", "1 to 64 letters"),
    (
        {"tool_choice": {"type": "allowed_tools", "mode": "odd"}},
        "tool_choice.mode",
        "'auto' or 'required'",
    ),
    (
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": 5}},
        "tool_choice.tools",
        "expected an array with a tool",
    ),
    (
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [SEARCH]}},
        "tool_choice.tools[0]",
        "of type 'function'",
    ),
    (
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function"}]}},
        "tool_choice.tools[0].name",
        "1 to 64 letters",
    ),
    ({"tool_choice": "required"}, "tool_choice", "needs 'tools'"),
    ({"tools": [SAY], "tool_choice": LOOK_CHOICE}, "tool_choice.name", "'tool_choice.name'"),
    (
        {
            "tools": [SAY],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [LOOK_CHOICE]},
        },
        "tool_choice.tools",
        "'tool_choice.tools'",
    ),
]


@pytest.mark.parametrize(("members", "param", "message"), WRONG)
def test_what_is_wrong_is_named_as_a_response_has_it(
    members: dict[str, Any], param: str, message: str
) -> None:
    error = refusal(**members)

    assert error.param == param
    assert message in error.message
