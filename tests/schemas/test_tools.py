"""Tools and the choice among them: what is taken, left out with notice, and refused."""

from typing import Any

import orjson
import pytest

from tensoria.errors import InvalidRequest, RequestError, UnsupportedParameter
from tensoria.schemas.chat import ChatSchema, load
from tensoria.schemas.support import narrow
from tensoria.schemas.tools import MAX_BYTES, MAX_DEPTH, MAX_TOOLS
from tensoria.translate.traits import Traits

MESSAGES = [{"role": "user", "content": "hi"}]
NO_PARAMETERS = {"type": "object", "properties": {}}


def function(name: str = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def checked(name: str = "f", **more: Any) -> dict[str, Any]:
    return function(name, **{"parameters": NO_PARAMETERS, **more})


def choose(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def allow(mode: object, *tools: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


def request(**members: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = {**load({"messages": MESSAGES, **members}).request}
    del loaded["messages"]
    return loaded


def refused(**members: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load({"messages": MESSAGES, **members})
    return caught.value


def ignored(*tools: Any) -> tuple[str, ...]:
    return load({"messages": MESSAGES, "tools": list(tools)}).ignored


def nested(levels: int) -> Any:
    return orjson.loads(b'{"a":' * levels + b"1" + b"}" * levels)


PARAMETERS = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$id": "x",
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "propertyNames": {"pattern": "^[a-z]+$"},
}

# (name, tools as sent, tools of the checked request)
TAKEN: list[tuple[str, list[Any], list[Any]]] = [
    ("the least", [function()], [checked()]),
    ("parameters null", [function(parameters=None)], [checked()]),
    ("parameters empty", [function(parameters={})], [checked(parameters={})]),
    ("parameters of any form", [function(parameters=PARAMETERS)], [checked(parameters=PARAMETERS)]),
    ("a description", [function(description="d")], [checked(description="d")]),
    ("description null", [function(description=None)], [checked()]),
    ("a stray strict", [function(strict=True)], [checked()]),
    ("a name of 64 letters", [function("a" * 64)], [checked("a" * 64)]),
    ("every kind of letter", [function("aZ0_-.")], [checked("aZ0_-.")]),
    ("the order is kept", [function("b"), function("a")], [checked("b"), checked("a")]),
    ("one name twice", [function(), function()], [checked(), checked()]),
    (
        "kinds that cannot run",
        [{"type": "web_search"}, function(), {"type": "custom", "custom": {"name": "c"}}],
        [checked()],
    ),
    ("as many as may be", [function()] * MAX_TOOLS, [checked()] * MAX_TOOLS),
]


@pytest.mark.parametrize(("_name", "sent", "expected"), TAKEN, ids=[row[0] for row in TAKEN])
def test_tools_are_taken(_name: str, sent: list[Any], expected: list[Any]) -> None:
    assert request(tools=sent) == {"tools": expected}


@pytest.mark.parametrize("sent", [[], None, [{"type": "web_search"}]])
def test_nothing_that_can_be_called_means_no_tools(sent: object) -> None:
    assert request(tools=sent, tool_choice="auto", parallel_tool_calls=False) == {}


# (tools, what is told)
TOLD: list[tuple[list[Any], tuple[str, ...]]] = [
    ([function(description="d", parameters=PARAMETERS)], ()),
    ([function(), {"type": "web_search"}, {"type": "custom"}], ("tools[1]", "tools[2]")),
    ([{"type": "web_search", "function": {"x": 1}}], ("tools[0]",)),
    ([function(strict=True)], ("tools.function.strict",)),
    ([function(strict=False)], ()),
    ([function(strict=None, x=None)], ()),
    ([function(examples=[1])], ("tools.function.examples",)),
    ([{**function(), "cache_control": {}}], ("tools.cache_control",)),
    ([{**function(), "strict": False}], ()),
]


@pytest.mark.parametrize(("tools", "told"), TOLD)
def test_what_has_no_effect_is_told(tools: list[Any], told: tuple[str, ...]) -> None:
    assert ignored(*tools) == told


def test_strict_mode_refuses_a_tool_that_would_be_left_out() -> None:
    loaded = load({"messages": MESSAGES, "tools": [function(), {"type": "custom"}]})
    with pytest.raises(UnsupportedParameter) as caught:
        narrow(ChatSchema, loaded, lambda: Traits("ollama", "m"), strict=True)
    assert caught.value.param == "tools[1]"


# (name, tools, param)
REFUSED: list[tuple[str, Any, str]] = [
    ("an object", {}, "tools"),
    ("a string", "f", "tools"),
    ("a tool that is a string", ["f"], "tools[0]"),
    ("null", [function(), None], "tools[1]"),
    ("no type", [{"function": {"name": "f"}}], "tools[0].type"),
    ("type a number", [{"type": 1, "function": {"name": "f"}}], "tools[0].type"),
    ("no function", [{"type": "function"}], "tools[0].function"),
    ("function a string", [{"type": "function", "function": "f"}], "tools[0].function"),
    ("no name", [{"type": "function", "function": {}}], "tools[0].function.name"),
    ("name empty", [function("")], "tools[0].function.name"),
    ("name a number", [{"type": "function", "function": {"name": 1}}], "tools[0].function.name"),
    ("name with a space", [function("a b")], "tools[0].function.name"),
    ("name with a line end", [function("a\n")], "tools[0].function.name"),
    ("name with a letter beyond ASCII", [function("ä")], "tools[0].function.name"),
    ("name too long", [function("a" * 65)], "tools[0].function.name"),
    ("description a number", [function(description=1)], "tools[0].function.description"),
    ("parameters a string", [function(parameters="{}")], "tools[0].function.parameters"),
    ("parameters a list", [function(parameters=[])], "tools[0].function.parameters"),
    ("parameters true", [function(parameters=True)], "tools[0].function.parameters"),
    ("the place counts what is left out", [{"type": "x"}, function("")], "tools[1].function.name"),
    ("too many", [function()] * (MAX_TOOLS + 1), "tools"),
    ("too deep", [function(parameters=nested(MAX_DEPTH))], "tools"),
    ("far too deep", [function(parameters=nested(900))], "tools"),
    ("too long", [function(description="x" * MAX_BYTES)], "tools"),
]


@pytest.mark.parametrize(("_name", "tools", "param"), REFUSED, ids=[row[0] for row in REFUSED])
def test_wrong_tools_are_refused_at_their_place(_name: str, tools: Any, param: str) -> None:
    error = refused(tools=tools)
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (param, "invalid_value")


def test_parameters_may_be_as_deep_as_the_limit() -> None:
    deep = nested(MAX_DEPTH - 3)
    assert request(tools=[function(parameters=deep)])["tools"] == [checked(parameters=deep)]


A, B = checked("a"), checked("b")

# (choice, what is left of the request)
CHOICES: list[tuple[Any, dict[str, Any]]] = [
    (None, {"tools": [A, B]}),
    ("auto", {"tools": [A, B]}),
    ("none", {}),
    ("required", {"tools": [A, B], "tool_choice": "required"}),
    (choose("b"), {"tools": [A, B], "tool_choice": choose("b")}),
    ({**choose("b"), "x": 1}, {"tools": [A, B], "tool_choice": choose("b")}),
    (allow("auto", choose("b")), {"tools": [B]}),
    (allow("auto", choose("b"), choose("a")), {"tools": [A, B]}),
    (allow("required", choose("a")), {"tools": [A], "tool_choice": "required"}),
]


@pytest.mark.parametrize(("choice", "left"), CHOICES)
def test_choice_changes_the_tools(choice: Any, left: dict[str, Any]) -> None:
    assert request(tools=[A, B], tool_choice=choice) == left


@pytest.mark.parametrize("choice", ["none", "auto", None])
def test_choice_without_tools_says_nothing(choice: Any) -> None:
    assert request(tool_choice=choice) == {}


# (name, choice, param)
WRONG_CHOICES: list[tuple[str, Any, str]] = [
    ("unknown word", "any", "tool_choice"),
    ("a list", [], "tool_choice"),
    ("true", True, "tool_choice"),
    ("no type", {}, "tool_choice.type"),
    ("unknown type", {"type": "tool", "name": "a"}, "tool_choice.type"),
    ("no function", {"type": "function"}, "tool_choice.function"),
    ("function a string", {"type": "function", "function": "a"}, "tool_choice.function"),
    ("no name", {"type": "function", "function": {}}, "tool_choice.function.name"),
    ("not offered", choose("c"), "tool_choice.function.name"),
    ("no members", {"type": "allowed_tools"}, "tool_choice.allowed_tools"),
    ("mode none", allow("none", choose("a")), "tool_choice.allowed_tools.mode"),
    ("mode a list", allow([], choose("a")), "tool_choice.allowed_tools.mode"),
    ("none allowed", allow("auto"), "tool_choice.allowed_tools.tools"),
    (
        "tools no list",
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": "a"}},
        "tool_choice.allowed_tools.tools",
    ),
    ("a string allowed", allow("auto", "a"), "tool_choice.allowed_tools.tools[0]"),
    (
        "another kind allowed",
        allow("auto", choose("a"), {"type": "mcp"}),
        "tool_choice.allowed_tools.tools[1]",
    ),
    (
        "a bad name allowed",
        allow("auto", choose("")),
        "tool_choice.allowed_tools.tools[0].function.name",
    ),
    ("allowed, not offered", allow("auto", choose("c")), "tool_choice.allowed_tools.tools"),
]


@pytest.mark.parametrize(
    ("_name", "choice", "param"), WRONG_CHOICES, ids=[row[0] for row in WRONG_CHOICES]
)
def test_wrong_choice_is_refused_at_its_place(_name: str, choice: Any, param: str) -> None:
    error = refused(tools=[A, B], tool_choice=choice)
    assert isinstance(error, InvalidRequest)
    assert error.param == param


@pytest.mark.parametrize(
    ("choice", "param"), [("required", "tool_choice"), (choose("a"), "tool_choice.function.name")]
)
@pytest.mark.parametrize("tools", [None, [], [{"type": "web_search"}]])
def test_forced_call_of_nothing_is_refused(choice: Any, param: str, tools: Any) -> None:
    assert refused(tools=tools, tool_choice=choice).param == param


def test_choice_of_a_custom_tool_is_not_supported() -> None:
    error = refused(tools=[A], tool_choice={"type": "custom", "custom": {"name": "a"}})
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "tool_choice.type"


@pytest.mark.parametrize(
    ("sent", "left"),
    [(True, {}), (None, {}), (False, {"parallel_tool_calls": False})],
)
def test_only_a_single_call_has_to_be_asked_for(sent: object, left: dict[str, Any]) -> None:
    assert request(tools=[A], parallel_tool_calls=sent) == {"tools": [A], **left}


@pytest.mark.parametrize("sent", [0, "false", []])
def test_parallel_calls_are_true_or_false(sent: object) -> None:
    assert refused(tools=[A], parallel_tool_calls=sent).param == "parallel_tool_calls"


def test_model_that_has_no_place_for_tools_is_refused() -> None:
    loaded = load({"messages": MESSAGES, "tools": [A]})
    lacks = Traits("ollama", "m", capabilities=frozenset({"completion"}))
    with pytest.raises(UnsupportedParameter, match="capability 'tools'") as caught:
        narrow(ChatSchema, loaded, lambda: lacks, strict=False)
    assert caught.value.param == "tools"
