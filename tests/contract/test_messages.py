"""The judge of Anthropic's answers knows a wrong one."""

from typing import Any

import orjson
import pytest

from tests.contract.messages import check, check_answer, check_stream

USAGE = {"input_tokens": 1, "output_tokens": 1}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "a"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}
START = {"type": "message_start", "message": MESSAGE}
OPEN = {
    "type": "content_block_start",
    "index": 0,
    "content_block": {"type": "text", "text": ""},
}
TEXT = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": "a"},
}
SHUT = {"type": "content_block_stop", "index": 0}
DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE}
STOP = {"type": "message_stop"}
ERROR = {"type": "error", "error": {"type": "api_error", "message": "x"}, "request_id": "r"}
PING = {"type": "ping"}


def sse(*events: Any) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (each["type"].encode(), orjson.dumps(each)) for each in events
    )


@pytest.mark.parametrize(
    "events",
    [
        (START, DELTA, STOP),
        (PING, START, OPEN, TEXT, PING, SHUT, DELTA, STOP),
        (ERROR,),
        (START, OPEN, TEXT, ERROR),
        (START, ERROR),
    ],
)
def test_a_right_stream_passes(events: Any) -> None:
    check_stream(sse(*events))


@pytest.mark.parametrize(
    "events",
    [
        (START,),
        (START, OPEN, TEXT, SHUT, DELTA),
        (START, OPEN, TEXT, DELTA, STOP),
        (START, TEXT, DELTA, STOP),
        (START, SHUT, DELTA, STOP),
        (START, OPEN, OPEN, SHUT, DELTA, STOP),
        (START, {**OPEN, "index": 1}, DELTA, STOP),
        (START, DELTA, DELTA, STOP),
        (START, DELTA, STOP, STOP),
        (START, STOP),
        (OPEN, SHUT, DELTA, STOP),
        (START, DELTA, ERROR),
        (START, ERROR, STOP),
        (START, {**OPEN, "more": 1}, SHUT, DELTA, STOP),
    ],
)
def test_a_wrong_stream_fails(events: Any) -> None:
    with pytest.raises(AssertionError):
        check_stream(sse(*events))


@pytest.mark.parametrize("body", [b"event: ping\ndata: {}", b'event: x\ndata: {"type":"y"}\n\n'])
def test_what_is_no_event_fails(body: bytes) -> None:
    with pytest.raises(AssertionError):
        check_stream(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 5},
        {"type": "x"},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "text", "text": "a", "more": 1}]},
        {"stop_reason": "stop"},
        {"usage": {**USAGE, "total_tokens": 2}},
        {"usage": {**USAGE, "input_tokens": "1"}},
        {"more": 1},
    ],
)
def test_a_wrong_message_fails(wrong: Any) -> None:
    check("message", MESSAGE)

    with pytest.raises(AssertionError):
        check("message", {**MESSAGE, **wrong})


def test_an_error_needs_its_request() -> None:
    with pytest.raises(AssertionError):
        check_answer("POST", "/v1/messages", 400, {**ERROR, "request_id": None})


def test_a_list_has_its_four_members() -> None:
    with pytest.raises(AssertionError):
        check_answer("GET", "/v1/models", 200, {"data": []})
