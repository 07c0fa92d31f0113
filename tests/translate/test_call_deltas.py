"""Calls in pieces, as engines that speak OpenAI stream them."""

from typing import Any

import orjson
import pytest

from tensoria.errors import BackendError
from tensoria.translate.chat_passthrough import FromOpenAI, to_openai
from tensoria.translate.chunks import Frame, ToCompletion
from tensoria.translate.tools import CallIds

FRAME = Frame(id="chatcmpl-1", created=7, model="m", include_usage=False)
FIRST, SECOND = CallIds("chatcmpl-1").take(0, ""), CallIds("chatcmpl-1").take(1, "")


def event(*pieces: Any, finish: str | None = None, content: str | None = None) -> bytes:
    delta: dict[str, Any] = {"content": content}
    if pieces:
        delta["tool_calls"] = list(pieces)
    return orjson.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def piece(arguments: Any = None, *, name: Any = None, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


def deltas(*events: bytes) -> tuple[list[Any], Any]:
    translator = FromOpenAI(FRAME)
    found = translator.feed([*events, b"[DONE]"])
    assert translator.error is None
    assert translator.finished
    told = [
        delta for chunk in found for delta in chunk["choices"][0]["delta"].get("tool_calls", ())
    ]
    return told, found[-1]["choices"][0]["finish_reason"]


def first(index: int, id_: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": id_, "type": "function", "function": function}


def more(index: int, arguments: str) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments}}


# (name, events, deltas)
PIECES: list[tuple[str, list[bytes], list[Any]]] = [
    (
        "llama.cpp: name first, arguments in pieces",
        [
            event(piece("", name="f", index=0, id="x", type="function")),
            event(piece('{"a"', index=0)),
            event(piece(":1}", index=0)),
        ],
        [first(0, "x", "f", ""), more(0, '{"a"'), more(0, ":1}")],
    ),
    (
        "two calls, in one event and in turns",
        [
            event(piece("{", name="f", index=0, id="x"), piece("", name="g", index=1, id="y")),
            event(piece("{}", index=1), piece("}", index=0)),
        ],
        [first(0, "x", "f", "{"), first(1, "y", "g", ""), more(1, "{}"), more(0, "}")],
    ),
    (
        "indexes that do not begin with 0",
        [event(piece("{}", name="f", index=3, id="x")), event(piece("{}", name="g", index=1))],
        [first(0, "x", "f", "{}"), first(1, SECOND, "g", "{}")],
    ),
    (
        "all calls numbered 0",
        [
            event(piece("{", name="f", index=0, id="x"), piece("{", name="g", index=0, id="y")),
            event(piece("}", index=0)),
        ],
        [first(0, "x", "f", "{"), first(1, "y", "g", "{"), more(1, "}")],
    ),
    (
        "no indexes, by id",
        [
            event(piece("{", name="f", id="x"), piece("{", name="g", id="y")),
            event(piece("}", id="x"), piece("}", id="y")),
        ],
        [first(0, "x", "f", "{"), first(1, "y", "g", "{"), more(0, "}"), more(1, "}")],
    ),
    (
        "neither index nor id",
        [event(piece("{", name="f")), event(piece("}")), event(piece("{}", name="g"))],
        [first(0, FIRST, "f", "{"), more(0, "}"), first(1, SECOND, "g", "{}")],
    ),
    (
        "id and name in every piece",
        [
            event(piece("{", name="f", index=0, id="x")),
            event(piece("}", name="f", index=0, id="x")),
        ],
        [first(0, "x", "f", "{"), more(0, "}")],
    ),
    (
        "another id in a later piece",
        [event(piece("{", name="f", index=0, id="x")), event(piece("}", index=0, id="z"))],
        [first(0, "x", "f", "{"), more(0, "}")],
    ),
    (
        "arguments as an object",
        [event(piece({"a": 1}, name="f", index=0))],
        [first(0, FIRST, "f", '{"a":1}')],
    ),
    (
        "no arguments at all",
        [event(piece(None, name="f", index=0)), event(piece("", index=0))],
        [first(0, FIRST, "f", ""), more(0, "{}")],
    ),
]


@pytest.mark.parametrize(("_name", "events", "expected"), PIECES, ids=[row[0] for row in PIECES])
def test_pieces_become_deltas(_name: str, events: list[bytes], expected: list[Any]) -> None:
    assert deltas(*events, event(finish="tool_calls")) == (expected, "tool_calls")


def test_pieces_add_up_to_whole_calls() -> None:
    translator = FromOpenAI(FRAME)
    whole = ToCompletion()
    whole.feed(
        translator.feed(
            [
                event(piece("", name="f", index=0, id="x")),
                event(piece('{"a":', index=0)),
                event(piece("1}", index=0), finish="tool_calls"),
                b"[DONE]",
            ]
        )
    )
    message = whole.completion()["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]


@pytest.mark.parametrize(
    ("pieces", "said", "expected"),
    [
        ([piece("{}", name="f", index=0)], "stop", "tool_calls"),
        ([piece("{}", name="f", index=0)], "length", "length"),
        ([], "tool_calls", "stop"),
        ([], "stop", "stop"),
    ],
)
def test_finish_reason_tells_of_calls_that_came(
    pieces: list[Any], said: str, expected: str
) -> None:
    """vLLM says "stop" for a call that was forced."""
    assert deltas(event(*pieces, content="a"), event(finish=said))[1] == expected


@pytest.mark.parametrize(
    "pieces",
    [
        5,
        "f",
        ["f"],
        [{}],
        [{"function": "f"}],
        [piece("{}", index=0)],
        [piece("{}", name="", index=0)],
        [piece("{}", name=5, index=0)],
        [piece([1], name="f", index=0)],
    ],
)
def test_piece_that_cannot_be_read_is_the_engines_error(pieces: Any) -> None:
    translator = FromOpenAI(FRAME)
    body = {"choices": [{"delta": {"content": "a", "tool_calls": pieces}, "finish_reason": "stop"}]}
    found = translator.feed([orjson.dumps(body), b"[DONE]"])
    assert isinstance(translator.error, BackendError)
    assert not translator.finished
    assert found[-1]["choices"][0]["delta"] == {"content": "a"}


# Up.


def upstream(*messages: Any, **members: Any) -> dict[str, Any]:
    request: Any = {"messages": list(messages), **members}
    return to_openai(request, model="m", max_tokens=1, temperature=0, progress=False)


def test_tools_and_history_go_up_as_openai_has_them() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "string", "pattern": "a+"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    choice = {"type": "function", "function": {"name": "f"}}
    history = [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [first(0, "x", "f", "{}")],
            "reasoning_content": "hm",
        },
        {"role": "tool", "content": "4", "tool_call_id": "x", "name": "f"},
    ]
    body = upstream(*history, tools=tools, tool_choice=choice, parallel_tool_calls=False)
    assert body["tools"] == tools
    assert body["tool_choice"] == choice
    assert body["parallel_tool_calls"] is False
    assert body["messages"] == history


def test_request_without_tools_has_nothing_of_them() -> None:
    assert upstream().keys().isdisjoint({"tools", "tool_choice", "parallel_tool_calls"})


def test_speakers_name_stays_here() -> None:
    """It is told as ignored, so it must not have an effect."""
    sent = {"role": "user", "content": "a", "name": "bob", "tool_call_id": "x"}
    assert upstream(sent)["messages"] == [{"role": "user", "content": "a"}]
