"""Calls of earlier turns and their results, in the forms that clients send back."""

from typing import Any

import orjson
import pytest

from tensoria.errors import InvalidRequest, RequestError
from tensoria.schemas.chat import load
from tensoria.schemas.tools import MAX_DEPTH


def messages(*sent: Any) -> list[dict[str, Any]]:
    found: list[Any] = list(load({"messages": list(sent)}).request["messages"])
    return found


def ignored(*sent: Any) -> tuple[str, ...]:
    return load({"messages": list(sent)}).ignored


def refused(*sent: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load({"messages": list(sent)})
    return caught.value


def call(id_: object = "c1", name: object = "f", arguments: object = "{}") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*found: Any, content: object = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(found), **more}


def result(id_: object = None, content: str = "4", **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content, **more}


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


# (name, one call as sent, the call that it becomes)
CALLS: list[tuple[str, Any, Any]] = [
    ("as OpenAI has it", call(), call()),
    ("arguments an object", call(arguments={"a": 1}), call(arguments='{"a":1}')),
    ("arguments a string", call(arguments='{ "a": 1 }'), call(arguments='{ "a": 1 }')),
    ("arguments empty", call(arguments=""), call()),
    ("arguments a space", call(arguments=" "), call()),
    ("arguments null", call(arguments=None), call()),
    ("no arguments", {"id": "c1", "type": "function", "function": {"name": "f"}}, call()),
    ("no type", {"id": "c1", "function": {"name": "f", "arguments": "{}"}}, call()),
    ("no id", {"function": {"name": "f"}}, call("call_0_0")),
    ("id empty", call(""), call("call_0_0")),
    ("id null", call(None), call("call_0_0")),
    ("an index", {**call(), "index": 0}, call()),
    (
        "a custom tool's",
        {"id": "c1", "type": "custom", "custom": {"name": "f", "input": "x"}},
        call(arguments='{"input":"x"}'),
    ),
    (
        "arguments as deep as may be",
        call(arguments=nested(MAX_DEPTH)),
        call(arguments=nested(MAX_DEPTH)),
    ),
]


@pytest.mark.parametrize(("_name", "sent", "expected"), CALLS, ids=[row[0] for row in CALLS])
@pytest.mark.parametrize("content", ["text", "", None])
def test_call_of_history_is_taken(_name: str, sent: Any, expected: Any, content: Any) -> None:
    assert messages(calls(sent, content=content)) == [calls(expected, content=content or "")]


def test_order_of_calls_is_kept() -> None:
    found = messages(calls(call("b", "g"), call("a", "f")))
    assert [one["id"] for one in found[0]["tool_calls"]] == ["b", "a"]


def test_old_function_call_is_a_call() -> None:
    old = {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a":1}'}}
    answer = {"role": "function", "name": "f", "content": "4"}
    assert messages(old, answer) == [
        calls(call("call_0_0", arguments='{"a":1}'), content=""),
        {"role": "function", "name": "f", "content": "4", "tool_call_id": "call_0_0"},
    ]
    assert ignored(old, answer) == ()


# (name, the assistant's message, its thoughts)
THOUGHTS: list[tuple[str, dict[str, Any], str | None]] = [
    ("reasoning_content", {"reasoning_content": "hm"}, "hm"),
    ("reasoning", {"reasoning": "hm"}, "hm"),
    ("both", {"reasoning_content": "hm", "reasoning": "hm"}, "hm"),
    ("empty", {"reasoning_content": ""}, None),
    ("an object", {"reasoning": {"summary": "hm"}}, None),
]


@pytest.mark.parametrize(("_name", "extra", "thought"), THOUGHTS, ids=[row[0] for row in THOUGHTS])
def test_thoughts_of_history_are_kept(
    _name: str, extra: dict[str, Any], thought: str | None
) -> None:
    (found,) = messages({"role": "assistant", "content": "a", **extra})
    assert found.get("reasoning_content") == thought


# (name, message, what is told)
TOLD: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("nothing odd", calls(call(), reasoning="hm"), ()),
    ("an index", calls({**call(), "index": 1}), ()),
    (
        "a foreign key of a call",
        calls({**call(), "status": "done"}),
        ("messages.tool_calls.status",),
    ),
    ("null in a call", calls({**call(), "status": None}), ()),
    (
        "a foreign key of a function",
        calls({"function": {"name": "f", "parsed": {}}}),
        ("messages.tool_calls.function.parsed",),
    ),
    (
        "a custom tool's call",
        calls({"type": "custom", "custom": {"name": "f", "input": "x"}}),
        ("messages.tool_calls.custom",),
    ),
    (
        "both ways to call",
        calls(call(), function_call={"name": "f"}),
        ("messages.function_call",),
    ),
    ("thoughts that are no text", {"role": "assistant", "reasoning": {}}, ("messages.reasoning",)),
    (
        "calls of somebody else",
        {"role": "user", "content": "a", "tool_calls": [call()]},
        ("messages.tool_calls",),
    ),
    ("no calls of somebody else", {"role": "user", "content": "a", "tool_calls": []}, ()),
    (
        "thoughts of somebody else",
        {"role": "user", "content": "a", "reasoning": "hm"},
        ("messages.reasoning",),
    ),
    ("calls an empty list", calls(), ()),
]


@pytest.mark.parametrize(("_name", "message", "told"), TOLD, ids=[row[0] for row in TOLD])
def test_what_no_engine_sees_is_told(
    _name: str, message: dict[str, Any], told: tuple[str, ...]
) -> None:
    assert ignored(message) == told


PLACE = "messages[1].tool_calls[1]"

# (name, the second call of the second message, param)
REFUSED: list[tuple[str, Any, str]] = [
    ("a string", "f", PLACE),
    ("id a number", call(1), f"{PLACE}.id"),
    ("no function", {"id": "c1"}, f"{PLACE}.function"),
    ("function a string", {"function": "f"}, f"{PLACE}.function"),
    ("no name", {"function": {"arguments": "{}"}}, f"{PLACE}.function.name"),
    ("name empty", call(name=""), f"{PLACE}.function.name"),
    ("name a number", call(name=1), f"{PLACE}.function.name"),
    ("arguments a list", call(arguments=[]), f"{PLACE}.function.arguments"),
    ("arguments a number", call(arguments=5), f"{PLACE}.function.arguments"),
    ("arguments a list in a string", call(arguments="[]"), f"{PLACE}.function.arguments"),
    ("arguments no JSON", call(arguments="{"), f"{PLACE}.function.arguments"),
    (
        "arguments too deep",
        call(arguments=nested(MAX_DEPTH + 1)),
        f"{PLACE}.function.arguments",
    ),
    (
        "an object too deep",
        call(arguments=orjson.loads(nested(900))),
        f"{PLACE}.function.arguments",
    ),
    ("a custom call without a name", {"type": "custom", "custom": {}}, f"{PLACE}.name"),
]


@pytest.mark.parametrize(("_name", "sent", "param"), REFUSED, ids=[row[0] for row in REFUSED])
def test_wrong_call_is_refused_at_its_place(_name: str, sent: Any, param: str) -> None:
    error = refused({"role": "user", "content": "a"}, calls(call(), sent))
    assert isinstance(error, InvalidRequest)
    assert error.param == param


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"tool_calls": {}}, "messages[0].tool_calls"),
        ({"tool_calls": "f"}, "messages[0].tool_calls"),
        ({"function_call": "f"}, "messages[0].function_call"),
        (
            {"function_call": {"name": "f", "arguments": "x"}},
            "messages[0].function_call.arguments",
        ),
    ],
)
def test_calls_of_another_type_are_refused(extra: dict[str, Any], param: str) -> None:
    assert refused({"role": "assistant", **extra}).param == param


USER = {"role": "user", "content": "a"}

# (name, messages, (name, tool_call_id) of each result)
MATCHED: list[tuple[str, list[Any], list[tuple[str | None, str | None]]]] = [
    ("by id", [calls(call("x", "f")), result("x")], [("f", "x")]),
    (
        "by id, in another order",
        [calls(call("x", "f"), call("y", "g")), result("y"), result("x")],
        [("g", "y"), ("f", "x")],
    ),
    (
        "by id, turns later",
        [calls(call("x", "f")), USER, calls(call("y", "g")), result("x")],
        [("f", "x")],
    ),
    (
        "without ids, by order",
        [calls(call("", "f"), call("", "g")), result(), result("")],
        [("f", "call_0_0"), ("g", "call_0_1")],
    ),
    (
        "without ids, by name",
        [calls(call("", "f"), call("", "g")), result(name="g"), result(name="f")],
        [("g", "call_0_1"), ("f", "call_0_0")],
    ),
    (
        "without an id, after one that has it",
        [calls(call("x", "f"), call("y", "g")), result("x"), result()],
        [("f", "x"), ("g", "y")],
    ),
    (
        "one id for two calls",
        [calls(call("x", "f"), call("x", "g")), result("x"), result("x")],
        [("f", "x"), ("g", "x")],
    ),
    (
        "one id in every turn",
        [calls(call("x", "f")), result("x"), calls(call("x", "g")), result("x")],
        [("f", "x"), ("g", "x")],
    ),
    (
        "an unanswered call does not shift the next turn",
        [calls(call("", "f")), USER, calls(call("", "g")), result()],
        [("g", "call_2_0")],
    ),
    (
        "one message for each call",
        [calls(call("", "f")), calls(call("", "g")), result(), result()],
        [("f", "call_0_0"), ("g", "call_1_0")],
    ),
    (
        "a second result of one call",
        [calls(call("x", "f")), result("x"), result("x")],
        [("f", "x"), ("f", "x")],
    ),
    ("its own name wins", [calls(call("x", "f")), result("x", name="h")], [("h", "x")]),
    ("an unknown id", [result("x")], [(None, "x")]),
    ("an unknown id with a name", [result("x", name="h")], [("h", "x")]),
    ("no id and no call", [result()], [(None, None)]),
    ("an empty id and no call", [result("")], [(None, None)]),
    ("an unknown name", [calls(call("", "f")), result(name="h")], [("h", None)]),
]


@pytest.mark.parametrize(("_name", "sent", "expected"), MATCHED, ids=[row[0] for row in MATCHED])
def test_result_is_matched_with_its_call(
    _name: str, sent: list[Any], expected: list[tuple[str | None, str | None]]
) -> None:
    results = [message for message in messages(*sent) if message["role"] == "tool"]
    assert [(one.get("name"), one.get("tool_call_id")) for one in results] == expected


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([calls(call("x")), result("x")], ()),
        ([calls(call("")), result()], ()),
        ([calls(call("x")), result("x"), result("y")], ("messages.tool_call_id",)),
        ([result("y")], ("messages.tool_call_id",)),
        ([result("y", name="f")], ("messages.tool_call_id",)),
        ([result("y"), calls(call("x")), result("x")], ("messages.tool_call_id",)),
        ([result()], ()),
    ],
)
def test_result_whose_call_is_not_in_the_history_is_told(
    sent: list[Any], told: tuple[str, ...]
) -> None:
    """Clients with a sliding window send it daily."""
    assert ignored(*sent) == told


def test_array_content_of_a_result_keeps_its_call() -> None:
    parts = [{"type": "text", "text": "4"}, {"type": "text", "text": "C"}]
    found = messages(calls(call("x")), {"role": "tool", "tool_call_id": "x", "content": parts})
    assert found[1] == {"role": "tool", "content": "4\nC", "tool_call_id": "x", "name": "f"}


def test_thousands_of_calls_are_matched_in_little_time() -> None:
    """Each result would otherwise look through all calls."""
    sent = [calls(call(""), call(""))] * 5_000 + [result()] * 10_000
    found = messages(*sent)
    assert found[-1]["tool_call_id"] == "call_4999_1"
