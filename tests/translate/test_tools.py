"""Tools with Ollama: definitions and history up, calls down."""

import json
from typing import Any

import pytest

from tensoria.errors import BackendError
from tensoria.translate.chat import ToChunks, to_messages, to_ollama
from tensoria.translate.chunks import Frame
from tensoria.translate.tools import CallIds, to_arguments, to_ollama_tools
from tensoria.wire.openai import Chunk

FRAME = Frame(id="chatcmpl-1", created=7, model="m", include_usage=False)
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": PARAMETERS}}


def upstream(*messages: Any, **members: Any) -> Any:
    request: Any = {"messages": list(messages), **members}
    return to_ollama(
        request, model="m", max_tokens=1, temperature=None, keep_alive=0, context_length=None
    )


def call(id_: str, name: str, arguments: str) -> Any:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


# Up.


def test_tools_go_up_as_they_are() -> None:
    assert upstream(tools=[TOOL])["tools"] == [TOOL]


def test_request_without_tools_has_none() -> None:
    assert "tools" not in upstream()


@pytest.mark.parametrize("name", ["tool_choice", "parallel_tool_calls"])
def test_what_ollama_does_not_know_stays_here(name: str) -> None:
    assert name not in upstream(tools=[TOOL], **{name: "x"})


@pytest.mark.parametrize(
    ("description", "expected"),
    [("d", "d (minProperties 1)"), (None, "(minProperties 1)")],
)
def test_what_a_function_loses_is_told_in_its_description(
    description: str | None, expected: str
) -> None:
    function = {"name": "f", "parameters": {**PARAMETERS, "minProperties": 1}}
    tool: Any = {"type": "function", "function": function}
    if description:
        function["description"] = description
    (found,) = to_ollama_tools([tool], None)
    assert found["function"] == {
        "name": "f",
        "description": expected,
        "parameters": PARAMETERS,
    }


@pytest.mark.parametrize(
    ("version", "kept"), [(None, True), ((0, 32, 15), True), ((0, 13, 0), True), ((0, 9, 6), False)]
)
def test_old_releases_get_inner_properties_in_words(version: Any, kept: bool) -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    tool: Any = {
        "type": "function",
        "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": inner}}},
    }
    (found,) = to_ollama_tools([tool], version)
    words = {"type": "object", "description": '(properties {"a":{"type":"string"}})'}
    assert found["function"]["parameters"]["properties"]["x"] == (inner if kept else words)


def test_history_of_calls_goes_up_in_ollamas_form() -> None:
    """ollama-api.md 8.12; arguments have to be an object."""
    found = to_messages(
        [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [call("c1", "f", '{"city":"Oslo"}'), call("c2", "g", "{}")],
                "reasoning_content": "hm",
            },
            {"role": "tool", "content": "4 C", "tool_call_id": "c1", "name": "f"},
            {"role": "function", "content": "5 C", "tool_call_id": "c2", "name": "g"},
        ]
    )
    assert found == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [
                {"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"city": "Oslo"}}},
                {"id": "c2", "function": {"index": 1, "name": "g", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "4 C", "tool_name": "f", "tool_call_id": "c1"},
        {"role": "tool", "content": "5 C", "tool_name": "g", "tool_call_id": "c2"},
    ]


def test_text_beside_calls_is_kept() -> None:
    (found,) = to_messages(
        [{"role": "assistant", "content": "Let me see.", "tool_calls": [call("c1", "f", "{}")]}]
    )
    assert found["content"] == "Let me see."


def test_thoughts_without_calls_are_kept() -> None:
    (found,) = to_messages([{"role": "assistant", "content": "a", "reasoning_content": "hm"}])
    assert found == {"role": "assistant", "content": "a", "thinking": "hm"}


# (name, messages of the assistant in a row, (text, names of the calls) of what goes up)
IN_A_ROW: list[tuple[str, list[dict[str, Any]], list[tuple[str, list[str]]]]] = [
    ("words, then a call", [{"content": "a"}, {"tool_calls": ["f"]}], [("a", ["f"])]),
    ("call after call", [{"tool_calls": ["f"]}, {"tool_calls": ["g"]}], [("", ["f", "g"])]),
    (
        "words and call, twice",
        [{"content": "a", "tool_calls": ["f"]}, {"content": "b", "tool_calls": ["g"]}],
        [("a\n\nb", ["f", "g"])],
    ),
    (
        "a call, then words, which templates keep",
        [{"tool_calls": ["f"]}, {"content": "a"}],
        [("", ["f"]), ("a", [])],
    ),
    ("words alone", [{"content": "a"}, {"content": "b"}], [("a", []), ("b", [])]),
]


@pytest.mark.parametrize(("_name", "sent", "expected"), IN_A_ROW, ids=[row[0] for row in IN_A_ROW])
def test_calls_after_the_assistants_own_words_join_them(
    _name: str, sent: list[dict[str, Any]], expected: list[tuple[str, list[str]]]
) -> None:
    """Go templates merge such messages, and of the second one they take the text alone."""
    messages: list[Any] = [{"role": "user", "content": "x"}]
    for one in sent:
        messages.append({"role": "assistant", "content": one.get("content", "")})
        if "tool_calls" in one:
            messages[-1]["tool_calls"] = [call(name, name, "{}") for name in one["tool_calls"]]
    _, *found = to_messages(messages)
    told = [
        (turn["content"], [made["function"]["name"] for made in turn.get("tool_calls", ())])
        for turn in found
    ]
    assert told == expected
    for turn in found:
        indexes = [made["function"].get("index") for made in turn.get("tool_calls", ())]
        assert indexes == list(range(len(indexes)))


def test_thoughts_of_joined_messages_are_joined() -> None:
    calls = [call("x", "f", "{}")]
    (found,) = to_messages(
        [
            {"role": "assistant", "content": "", "reasoning_content": "a"},
            {"role": "assistant", "content": "", "reasoning_content": "b", "tool_calls": calls},
        ]
    )
    assert found["thinking"] == "a\n\nb"


def test_history_is_left_as_it_was() -> None:
    """A request may go up more than once."""
    message: Any = {"role": "function", "content": "a", "name": "f"}
    to_messages([message])
    assert message == {"role": "function", "content": "a", "name": "f"}


# Down.


def line(*calls: Any, content: str = "", done: str | None = None) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = list(calls)
    end = {} if done is None else {"done_reason": done, "prompt_eval_count": 3, "eval_count": 2}
    return json.dumps({"message": message, "done": done is not None, **end}).encode()


def theirs(name: str = "f", arguments: Any = None, **more: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": {} if arguments is None else arguments, **more}
    return {"function": function}


def chunks(*lines: bytes) -> list[Chunk]:
    translator = ToChunks(FRAME)
    found = translator.feed(lines)
    assert translator.error is None
    assert translator.finished
    return found


def deltas(found: list[Chunk]) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in found]


def ours(index: int, id_: str, name: str, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **call(id_, name, arguments)}]}


ROLE = {"role": "assistant", "content": ""}
FIRST, SECOND = CallIds("chatcmpl-1").take(0, ""), CallIds("chatcmpl-1").take(1, "")
OSLO, ROME = {"city": "Oslo"}, {"city": "Rome"}

# (name, lines, deltas, finish reason)
ANSWERS: list[tuple[str, list[bytes], list[Any], str]] = [
    (
        "in lines of their own, with ids and indexes (0.17.4 and later)",
        [
            line({"id": "call_a", **theirs("f", OSLO, index=0)}),
            line({"id": "call_b", **theirs("f", ROME, index=1)}),
            line(done="stop"),
        ],
        [
            ROLE,
            ours(0, "call_a", "f", '{"city":"Oslo"}'),
            ours(1, "call_b", "f", '{"city":"Rome"}'),
            {},
        ],
        "tool_calls",
    ),
    (
        "without ids, all numbered 0 (0.9.6 and others)",
        [line(theirs("f", index=0)), line(theirs("g", index=0)), line(done="stop")],
        [ROLE, ours(0, FIRST, "f", "{}"), ours(1, SECOND, "g", "{}"), {}],
        "tool_calls",
    ),
    (
        "text, then all in the last line (0.30 and later)",
        [line(content="Hm"), line({"id": "", **theirs()}, theirs("g"), done="stop")],
        [ROLE, {"content": "Hm"}, ours(0, FIRST, "f", "{}"), ours(1, SECOND, "g", "{}"), {}],
        "tool_calls",
    ),
    (
        "text in the same line",
        [line(theirs(), content="Hm"), line(done="stop")],
        [ROLE, {"content": "Hm"}, ours(0, FIRST, "f", "{}"), {}],
        "tool_calls",
    ),
    (
        "one id for two",
        [line({"id": "x", **theirs()}, {"id": "x", **theirs()}, done="stop")],
        [ROLE, ours(0, "x", "f", "{}"), ours(1, SECOND, "f", "{}"), {}],
        "tool_calls",
    ),
    (
        "the limit was reached",
        [line(theirs()), line(done="length")],
        [ROLE, ours(0, FIRST, "f", "{}"), {}],
        "length",
    ),
    (
        "none in the list",
        [b'{"message":{"content":"a","tool_calls":[]},"done":true,"done_reason":"stop"}'],
        [ROLE, {"content": "a"}, {}],
        "stop",
    ),
    (
        "null in place of the list",
        [b'{"message":{"content":"a","tool_calls":null},"done":true,"done_reason":"stop"}'],
        [ROLE, {"content": "a"}, {}],
        "stop",
    ),
]


@pytest.mark.parametrize(
    ("_name", "lines", "expected", "reason"), ANSWERS, ids=[row[0] for row in ANSWERS]
)
def test_calls_become_deltas(
    _name: str, lines: list[bytes], expected: list[Any], reason: str
) -> None:
    found = chunks(*lines)
    assert deltas(found) == expected
    assert found[-1]["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize(
    "calls",
    [5, "f", ["f"], [{}], [{"function": {}}], [{"function": {"name": ""}}], [theirs("f", [1])]],
)
def test_call_that_cannot_be_read_is_the_engines_error(calls: Any) -> None:
    translator = ToChunks(FRAME)
    body = {"message": {"content": "a", "tool_calls": calls}, "done": True, "done_reason": "stop"}
    found = translator.feed([json.dumps(body).encode()])
    assert isinstance(translator.error, BackendError)
    assert not translator.finished
    assert deltas(found) == [ROLE, {"content": "a"}]


# (arguments of a whole call, the string)
ARGUMENTS: list[tuple[Any, str]] = [
    ({"a": 1, "b": [True, None]}, '{"a":1,"b":[true,null]}'),
    ({"a": "ä"}, '{"a":"ä"}'),
    ('{"a": 1}', '{"a":1}'),
    ({}, "{}"),
    (None, "{}"),
    ("", "{}"),
]


@pytest.mark.parametrize(("value", "expected"), ARGUMENTS)
def test_arguments_are_compact_json(value: Any, expected: str) -> None:
    assert to_arguments(value) == expected


@pytest.mark.parametrize("value", [[], "[]", 5, "x", json.loads('{"a":' * 300 + "1" + "}" * 300)])
def test_arguments_that_are_no_object_are_an_error(value: Any) -> None:
    with pytest.raises(ValueError, match=r"arguments|unexpected character"):
        to_arguments(value)


def test_made_up_ids_are_long_stable_and_differ() -> None:
    assert len(FIRST) == len("call_") + 24
    assert CallIds("chatcmpl-1").take(0, None) == FIRST
    assert len({FIRST, SECOND, CallIds("chatcmpl-2").take(0, "")}) == 3


@pytest.mark.parametrize("id_", [None, "", 5, ["x"]])
def test_what_is_no_id_is_replaced(id_: object) -> None:
    assert CallIds("chatcmpl-1").take(0, id_) == FIRST
