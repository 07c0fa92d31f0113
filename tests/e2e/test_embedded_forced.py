"""Forced calls, from a real engine and through the real service, to OpenAI's own client."""

import json
from typing import Any

import openai
import pytest

pytestmark = pytest.mark.e2e

PLACE = {
    "type": "object",
    "properties": {"city": {"enum": ["Oslo", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}


def tool(name: str, **properties: Any) -> Any:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": {"Place": PLACE},
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS: Any = [
    tool("get_weather", city={"enum": ["Oslo", "Rome"]}),
    tool("plan_route", to={"$ref": "#/$defs/Place"}),
]
ASKED: Any = {
    "model": "smollm2:135m",
    "messages": [{"role": "user", "content": "How do I get to Rome?"}],
    "tools": TOOLS,
    "temperature": 0,
}
ROUTE: Any = {"type": "function", "function": {"name": "plan_route"}}


def test_named_function_is_called_by_a_model_without_tools(embedded: openai.OpenAI) -> None:
    """With a reference inside of its parameters, which has to hold at another place."""
    (choice,) = embedded.chat.completions.create(**ASKED, tool_choice=ROUTE).choices
    (call,) = choice.message.tool_calls or []

    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert call.function.name == "plan_route"
    assert json.loads(call.function.arguments)["to"]["city"] in ("Oslo", "Rome")


def test_some_function_is_called_in_a_stream(embedded: openai.OpenAI) -> None:
    with embedded.chat.completions.stream(**ASKED, tool_choice="required") as stream:
        (choice,) = stream.get_final_completion().choices
    (call,) = choice.message.tool_calls or []

    assert choice.finish_reason == "tool_calls"
    assert call.function.name in ("get_weather", "plan_route")
    assert isinstance(json.loads(call.function.arguments), dict)


def test_call_that_is_cut_is_none(embedded: openai.OpenAI) -> None:
    answer = embedded.chat.completions.create(**ASKED, tool_choice=ROUTE, max_tokens=3)
    (choice,) = answer.choices

    assert (choice.finish_reason, choice.message.tool_calls) == ("length", None)
