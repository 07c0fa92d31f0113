import json
import re
from typing import Any

import pytest

from tests.contract import check_stream

ERROR = {"error": {"message": "No.", "type": "server_error", "param": None, "code": "timeout"}}


def chunk(index: int = 0, *, finish: str | None = None, **delta: str) -> dict[str, Any]:
    return _chunk([{"index": index, "delta": delta, "finish_reason": finish}])


def usage_chunk() -> dict[str, Any]:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return _chunk([]) | {"usage": usage}


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "mistral:latest",
        "choices": choices,
    }


ROLE, TEXT, FINISH = chunk(role="assistant", content=""), chunk(content="Hi"), chunk(finish="stop")
DONE = "[DONE]"


def sse(*events: dict[str, Any] | str) -> bytes:
    return b"".join(b"data: " + _text(event) + b"\n\n" for event in events)


def ndjson(*events: dict[str, Any] | str) -> bytes:
    return b"".join(_text(event) + b"\n" for event in events)


def _text(event: dict[str, Any] | str) -> bytes:
    return event.encode() if isinstance(event, str) else json.dumps(event).encode()


GOOD = {
    "answer": sse(ROLE, TEXT, FINISH, DONE),
    "no text": sse(ROLE, FINISH, DONE),
    "usage": sse(ROLE, TEXT, FINISH, usage_chunk(), DONE),
    "error before the answer": sse(ERROR),
    "error in the answer": sse(ROLE, TEXT, ERROR),
    "comments": b": keep-alive\n: keep-alive\n" + sse(ROLE) + b": keep-alive\n" + sse(FINISH, DONE),
    "two choices": sse(
        ROLE,
        chunk(1, role="assistant"),
        TEXT,
        chunk(finish="stop"),
        chunk(1, content="Ho"),
        chunk(1, finish="length"),
        DONE,
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_an_honest_stream_passes(name: str) -> None:
    check_stream(GOOD[name])


BAD = {
    "nothing": (b"", "is empty"),
    "quiet end": (sse(ROLE, TEXT), "without [DONE]"),
    "no finish chunk": (sse(ROLE, TEXT, DONE), "before each choice has its finish"),
    "no chunk at all": (sse(DONE), "before each choice has its finish"),
    "one of two choices": (sse(ROLE, chunk(1, role="assistant"), FINISH, DONE), "finish chunk"),
    "two finish chunks": (sse(ROLE, FINISH, FINISH, DONE), "after its finish chunk"),
    "text after the finish": (sse(ROLE, FINISH, TEXT, DONE), "after its finish chunk"),
    "error after the finish": (sse(ROLE, FINISH, ERROR), "after the answer was finished"),
    "done after an error": (sse(ROLE, ERROR, DONE), "follows the error"),
    "chunk after done": (sse(ROLE, FINISH, DONE, TEXT), "follows [DONE]"),
    "no role": (sse(TEXT, FINISH, DONE), "has the role None"),
    "a role of the user": (sse(chunk(role="user"), FINISH, DONE), "has the role 'user'"),
    "role twice": (sse(ROLE, ROLE, FINISH, DONE), "role twice"),
    "two ids": (sse(ROLE, FINISH | {"id": "chatcmpl-2"}, DONE), "differ in id"),
    "two models": (sse(ROLE, FINISH | {"model": "phi3"}, DONE), "differ in model"),
    "two times": (sse(ROLE, FINISH | {"created": 1}, DONE), "differ in created"),
    "usage in between": (sse(ROLE, usage_chunk(), FINISH, DONE), "usage is not the last"),
    "usage twice": (sse(ROLE, FINISH, usage_chunk(), usage_chunk(), DONE), "not the last"),
    "empty choices": (sse(ROLE, FINISH, _chunk([]), DONE), "neither choices nor usage"),
    "not a chunk": (sse(ROLE | {"object": "chat.completion"}, FINISH, DONE), "not a valid chat"),
    "not an error": (sse(ROLE, {"error": "No."}), "not a valid error"),
    "not JSON": (sse(ROLE, "{", FINISH, DONE), "not JSON"),
    "not an object": (sse(ROLE, "[]", FINISH, DONE), "not an object"),
    "cut event": (sse(ROLE, FINISH, DONE)[:-1], "cut inside an event"),
    "no prefix": (ndjson(ROLE), "cut inside an event"),
    "another field": (sse(ROLE) + b"event: x\n" + sse(FINISH, DONE), "not an event with data"),
    "event of two lines": (sse(ROLE)[:-1] + sse(FINISH, DONE), "several lines"),
    "comment in an event": (sse(ROLE)[:-1] + b": keep-alive\n\n" + sse(DONE), "several lines"),
    "blank line after a comment": (b": keep-alive\n\n" + sse(FINISH, DONE), "not an event"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_stream_with_one_fault_is_refused(name: str) -> None:
    body, fault = BAD[name]

    with pytest.raises(AssertionError, match=re.escape(fault)):
        check_stream(body)


def test_usage_that_was_asked_for_must_come() -> None:
    with pytest.raises(AssertionError, match="no usage chunk"):
        check_stream(sse(ROLE, FINISH, DONE), include_usage=True)


def test_usage_that_was_not_asked_for_must_not_come() -> None:
    with pytest.raises(AssertionError, match="not asked for"):
        check_stream(sse(ROLE, FINISH, usage_chunk(), DONE), include_usage=False)


def test_a_failed_stream_owes_no_usage() -> None:
    check_stream(sse(ROLE, ERROR), include_usage=True)


def test_an_honest_stream_of_lines_passes() -> None:
    check_stream(ndjson(ROLE, TEXT, FINISH, usage_chunk()), ndjson=True, include_usage=True)


def test_a_stream_of_lines_with_an_error_passes() -> None:
    check_stream(ndjson(ROLE, TEXT, ERROR), ndjson=True)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (ndjson(ROLE, TEXT), "before each choice has its finish"),
        (ndjson(ROLE, FINISH)[:-1], "cut inside a line"),
        (sse(ROLE, FINISH), "not JSON"),
        (ndjson(ROLE, FINISH, DONE), "not JSON"),
    ],
)
def test_a_stream_of_lines_with_one_fault_is_refused(body: bytes, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_stream(body, ndjson=True)


def text_chunk(
    index: int = 0, text: str | None = "a", finish: str | None = None, **members: Any
) -> dict[str, Any]:
    choice = {"index": index, "text": text, "logprobs": None, "finish_reason": finish}
    return _chunk([choice]) | {"object": "text_completion"} | members


TEXT_END = text_chunk(text="", finish="stop")
TEXT_USAGE = usage_chunk() | {"object": "text_completion"}


@pytest.mark.parametrize(
    ("events", "choices"),
    [
        ([text_chunk(), TEXT_END, DONE], 1),
        ([text_chunk(), TEXT_END, TEXT_USAGE, DONE], 1),
        ([text_chunk(), TEXT_END, text_chunk(1, finish="length"), DONE], 2),
        ([text_chunk(), TEXT_END, ERROR], 2),
        ([text_chunk(), TEXT_END, DONE], None),
    ],
)
def test_an_honest_stream_of_text_passes(events: list[Any], choices: int | None) -> None:
    check_stream(sse(*events), text=True, choices=choices)


@pytest.mark.parametrize(
    ("events", "choices", "fault"),
    [
        ([text_chunk(), DONE], 1, "before each choice has its finish"),
        ([text_chunk(), TEXT_END, DONE], 2, "before each choice has its finish"),
        ([TEXT_END, text_chunk(), DONE], 1, "after its finish chunk"),
        ([text_chunk(), TEXT_END, ERROR], 1, "after the answer was finished"),
        ([text_chunk(text=None), TEXT_END, DONE], 1, "not a valid completion"),
        ([text_chunk(finish="bored"), DONE], 1, "not a valid completion"),
        ([ROLE, FINISH, DONE], 1, "not a valid completion"),
    ],
)
def test_a_stream_of_text_with_one_fault_is_refused(
    events: list[Any], choices: int, fault: str
) -> None:
    with pytest.raises(AssertionError, match=re.escape(fault)):
        check_stream(sse(*events), text=True, choices=choices)
