"""The judge of the soak: an answer that lies in any way must not pass."""

import random
from typing import Any

import orjson
import pytest
from soak_streams import Plan, Verdict, plan, unchunked, verdict

PLAN = Plan(model="mock-2t-1ms", tokens=2)
ERROR = {"error": {"message": "m", "type": "t", "param": None, "code": "engine_error"}}
DONE = b"data: [DONE]\n\n"


def chunk(text: str | None = None, finish: str | None = None) -> bytes:
    delta = {"content": text} if text else {}
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def answer(*parts: bytes, status: int = 200, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


TOKENS = (chunk("tok0 "), chunk("tok1 "))
STOP = chunk(finish="stop")


@pytest.mark.parametrize(
    ("raw", "end"),
    [
        (answer(*TOKENS, STOP, DONE), "finished"),
        (answer(TOKENS[0], b": keep-alive\n", TOKENS[1], STOP + DONE), "finished"),
        (answer(TOKENS[0], event(ERROR)), "error event"),
        (answer(event(ERROR)), "error event"),
        (answer(orjson.dumps(ERROR), status=502), "error status"),
    ],
)
def test_an_honest_end_passes(raw: bytes, end: str) -> None:
    assert verdict(raw, PLAN).end == end


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        answer(*TOKENS, STOP, DONE, end=b""),
        answer(*TOKENS, STOP, DONE)[:-9],
        answer(*TOKENS, STOP, DONE) + b"HTTP/1.1 500 X\r\n",
        answer(*TOKENS, STOP),
        answer(*TOKENS, DONE),
        answer(*TOKENS),
        answer(),
        answer(TOKENS[0], STOP, DONE),
        answer(TOKENS[1], TOKENS[0], STOP, DONE),
        answer(*TOKENS, STOP, STOP, DONE),
        answer(*TOKENS, STOP, DONE, DONE),
        answer(*TOKENS, STOP, event(ERROR)),
        answer(*TOKENS, STOP, DONE, event(ERROR)),
        answer(TOKENS[0], event(ERROR), DONE),
        answer(TOKENS[0], event(ERROR), event(ERROR)),
        answer(b"{}", status=502),
        answer(b"<html>", status=502),
        answer(*TOKENS, b"event: x\n", STOP, DONE),
    ],
)
def test_a_lie_is_found(raw: bytes) -> None:
    assert verdict(raw, PLAN).end == "lie"


@pytest.mark.parametrize("fault", ["error line", "cut"])
def test_a_stop_is_a_lie_when_the_engine_failed(fault: str) -> None:
    failing = Plan(model="m", tokens=2, fault=fault)

    assert verdict(answer(*TOKENS, STOP, DONE), failing).end == "lie"


@pytest.mark.parametrize(
    ("raw", "end"),
    [
        (answer(orjson.dumps(ERROR), status=502), "error status"),
        (answer(TOKENS[0], event(ERROR)), "error event"),
    ],
)
def test_an_error_names_its_code(raw: bytes, end: str) -> None:
    assert verdict(raw, PLAN) == Verdict(end, "engine_error")


@pytest.mark.parametrize("framed", [b"", b"3\r\nab", b"2\r\nab\r\n", b"0\r\n", b"0\r\n\r\nx"])
def test_a_body_that_is_cut_or_goes_on_has_no_end(framed: bytes) -> None:
    assert unchunked(framed) is None


def test_the_same_seed_draws_the_same_requests() -> None:
    first, second = random.Random("7/1"), random.Random("7/1")
    drawn = [plan(first, 60, 100) for _ in range(300)]

    assert drawn == [plan(second, 60, 100) for _ in range(300)]
    assert {each.fault for each in drawn} == {
        None,
        "error line",
        "cut",
        "stall",
        "slow first token",
    }
    assert {each.leave for each in drawn} == {None, "close", "reset", "half-close"}
