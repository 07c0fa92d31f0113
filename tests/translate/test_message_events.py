"""Chunks to Anthropic's events, and to the message that they add up to."""

from typing import Any

import pytest

from tensoria.errors import BackendError
from tensoria.translate.chunks import Frame, to_chunk, to_last_chunks
from tensoria.translate.message_events import Collected, ToMessage, to_message_usage
from tensoria.wire.messages import Thoughts
from tests.contract.messages import check

FRAME = Frame(id="msg_1", created=5, model="m")
USAGE: Any = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def say(*deltas: Any, reason: Any = "stop", usage: Any = USAGE) -> list[Any]:
    opening = to_chunk(FRAME, {"role": "assistant", "content": ""})
    return [
        opening,
        *(to_chunk(FRAME, delta) for delta in deltas),
        *to_last_chunks(FRAME, reason, usage),
    ]


def call(index: int, arguments: str = "", **first: str) -> dict[str, Any]:
    """Return a piece of a call; its first one has an id and a name."""
    function = {"arguments": arguments}
    if not first:
        return {"tool_calls": [{"index": index, "function": function}]}
    begun = {"id": first["id"], "type": "function"}
    return {"tool_calls": [{"index": index, **begun, "function": {"name": "f", **function}}]}


def thought(text: str) -> dict[str, str]:
    return {"reasoning_content": text, "reasoning": text}


def events(chunks: list[Any], thoughts: Thoughts = "shown") -> list[Any]:
    """Return the events of chunks that come one at a time, judged as the SDK reads them."""
    message = ToMessage(thoughts)
    found = [event for chunk in chunks for event in message.feed([chunk])] + message.end()
    for event in found:
        check("event", event)
    check("message", message.message())
    return found


def whole(chunks: list[Any], thoughts: Thoughts = "shown") -> Any:
    collected = Collected(ToMessage(thoughts))
    collected.feed(chunks)
    return collected.completion()


def test_text_is_one_block() -> None:
    found = events(say({"content": "Hel"}, {"content": "lo"}))

    assert found == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 0, "output_tokens": 0},
            },
        },
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hel"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "lo"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"input_tokens": 3, "output_tokens": 2},
        },
        {"type": "message_stop"},
    ]


def test_the_whole_message_has_the_same_text() -> None:
    assert whole(say({"content": "Hel"}, {"content": "lo"})) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }


def test_blocks_follow_each_other_with_rising_indexes() -> None:
    found = events(
        say(
            thought("Hm"),
            thought("m."),
            {"content": "a"},
            call(0, '{"x"', id="t0"),
            call(0, ":1}"),
            call(1, id="t1"),
            {"content": "b"},
            call(1, "{}"),
            reason="tool_calls",
        )
    )
    blocks = [(e["index"], e["content_block"]) for e in found if "content_block" in e]
    stops = [e["index"] for e in found if e["type"] == "content_block_stop"]

    assert blocks == [
        (0, {"type": "thinking", "thinking": "", "signature": ""}),
        (1, {"type": "text", "text": ""}),
        (2, {"type": "tool_use", "id": "t0", "name": "f", "input": {}}),
        (3, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
        (4, {"type": "text", "text": ""}),
    ]
    assert stops == [0, 1, 2, 3, 4]


def test_calls_of_a_whole_message_have_their_input() -> None:
    body = whole(
        say(
            call(0, '{"x"', id="t0"),
            call(0, ":1}"),
            call(1, id="t1"),
            call(2, "{}", id="t2"),
            call(1, "{}"),
            reason="tool_calls",
        )
    )

    assert body["stop_reason"] == "tool_use"
    assert body["content"] == [
        {"type": "tool_use", "id": "t0", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
    ]


@pytest.mark.parametrize("arguments", ['{"x', "[1]"])
def test_a_call_whose_input_is_no_object_is_no_call_of_the_whole_message(arguments: str) -> None:
    body = whole(say({"content": "a"}, call(0, arguments, id="t0"), reason="length"))

    assert body["stop_reason"] == "max_tokens"
    assert body["content"] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize("between", [{"content": "x"}, call(1, id="t1")])
def test_pieces_of_a_call_that_is_over_are_an_error(between: Any) -> None:
    message = ToMessage()

    with pytest.raises(BackendError, match="mixed the pieces"):
        message.feed(say(call(0, "{", id="t0"), between, call(0, "}")))


def test_a_thought_ends_with_its_signature() -> None:
    found = events(say(thought("Hm"), thought("m."), {"content": "a"}))
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]

    assert deltas[:2] == [
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "thinking_delta", "thinking": "m."},
    ]
    assert deltas[2]["type"] == "signature_delta"
    assert len(deltas[2]["signature"]) == 64
    assert whole(say(thought("Hmm.")))["content"] == [
        {"type": "thinking", "thinking": "Hmm.", "signature": deltas[2]["signature"]}
    ]


def test_an_omitted_thought_has_a_signature_alone() -> None:
    found = events(say(thought("Hm"), {"content": "a"}), "omitted")
    deltas = [event["delta"]["type"] for event in found if event["type"] == "content_block_delta"]

    assert deltas == ["signature_delta", "text_delta"]
    assert whole(say(thought("Hm")), "omitted")["content"][0]["thinking"] == ""


def test_a_hidden_thought_is_left_out() -> None:
    assert whole(say(thought("Hm"), {"content": "a"}), "hidden")["content"] == [
        {"type": "text", "text": "a"}
    ]


def test_a_lone_surrogate_in_a_thought_is_signed_too() -> None:
    message = ToMessage()

    assert message.feed([to_chunk(FRAME, thought("\ud800"))])


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
    ],
)
def test_reasons(reason: Any, expected: str) -> None:
    assert whole(say({"content": "a"}, reason=reason))["stop_reason"] == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("stop", ("stop_sequence", "END")), ("tool_calls", ("tool_use", None))],
)
def test_a_stop_string_that_the_engine_tells_is_told(reason: Any, expected: Any) -> None:
    chunks = say({"content": "a"}, reason=reason)
    chunks[-2]["choices"][0]["stop_reason"] = "END"
    delta = events(chunks)[-2]["delta"]
    body = whole(chunks)

    assert (body["stop_reason"], body["stop_sequence"]) == expected
    assert (delta["stop_reason"], delta["stop_sequence"]) == expected


def test_an_empty_answer_has_no_blocks() -> None:
    assert whole(say())["content"] == []


@pytest.mark.parametrize("chunks", [[], [to_chunk(FRAME, {"content": "a"})]])
def test_an_answer_without_an_end_is_an_error(chunks: list[Any]) -> None:
    with pytest.raises(BackendError, match="without a reason"):
        whole(chunks)


def test_counts_that_are_not_told_are_zero() -> None:
    assert to_message_usage(None) == {"input_tokens": 0, "output_tokens": 0}


def test_more_from_the_cache_than_the_prompt_has_is_no_negative_count() -> None:
    told: Any = {**USAGE, "prompt_tokens_details": {"cached_tokens": 7}}

    assert to_message_usage(told)["input_tokens"] == 0
