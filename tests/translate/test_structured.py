"""Answers in a form: the requests that are made for one, and the check at its end."""

from typing import Any

import pytest

from tensoria.errors import StructuredOutputInvalid
from tensoria.translate.chunks import Frame, to_chunk, to_last_chunks
from tensoria.translate.structured import FormCheck, fits, to_attempts, to_format
from tensoria.wire.openai import ChatRequest, Chunk, ResponseFormat, Usage

FRAME = Frame(id="chatcmpl-1", created=7, model="m")
USAGE: Usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OBJECT: ResponseFormat = {"type": "json_object"}
SCHEMA: ResponseFormat = {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY}}
TOOLS = [{"type": "function", "function": {"name": "f"}}]
HI = [{"role": "user", "content": "hi"}]

ROLE = to_chunk(FRAME, {"role": "assistant", "content": ""})
STOP = to_last_chunks(FRAME, "stop", USAGE)
LENGTH = to_last_chunks(FRAME, "length", USAGE)
FILTER = to_last_chunks(FRAME, "content_filter", USAGE)
CALLED = to_last_chunks(FRAME, "tool_calls", USAGE)
CALL = to_chunk(FRAME, {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f"}}]})
THOUGHT = to_chunk(FRAME, {"reasoning_content": "Hm.", "reasoning": "Hm."})


def text(words: str) -> Chunk:
    return to_chunk(FRAME, {"content": words})


GOOD = [ROLE, text('{"city":'), text(' "Porto"}'), *STOP]
BAD = [ROLE, text('{"town":'), text(' "Porto"}'), *STOP]


def check(chunks: list[Chunk], *, holds: bool, block: int = 1) -> tuple[list[Chunk], bool]:
    """Return what comes out of chunks in blocks of that length, and whether it failed."""
    stage = FormCheck(SCHEMA, holds=holds)
    out: list[Chunk] = []
    for start in range(0, len(chunks), block):
        out += stage.feed(chunks[start : start + block])
        if stage.error:
            return out, True
    return out, False


# On the way up.


def test_each_form_in_ollamas_words() -> None:
    assert to_format(OBJECT) == "json"
    assert to_format(SCHEMA) == CITY


# (fields of the request, whether a second try is allowed, fields of each attempt)
ATTEMPTS: list[tuple[dict[str, Any], bool, list[dict[str, Any]]]] = [
    ({}, False, [{"response_format": SCHEMA}]),
    ({}, True, [{"response_format": SCHEMA}, {"response_format": SCHEMA}]),
    (
        {"seed": 7},
        True,
        [{"response_format": SCHEMA, "seed": 7}, {"response_format": SCHEMA, "seed": 7 + 2**30}],
    ),
    (
        {"seed": 2**63 - 1},
        True,
        [
            {"response_format": SCHEMA, "seed": 2**63 - 1},
            {"response_format": SCHEMA, "seed": 2**63 - 1 - 2**30},
        ],
    ),
    ({"tools": []}, False, [{"response_format": SCHEMA, "tools": []}]),
    (
        {"tools": TOOLS, "tool_choice": "auto", "parallel_tool_calls": False},
        False,
        [
            {"tools": TOOLS, "tool_choice": "auto", "parallel_tool_calls": False},
            {"response_format": SCHEMA},
        ],
    ),
    (
        {"tools": TOOLS, "seed": 0},
        True,
        [
            {"tools": TOOLS, "seed": 0},
            {"response_format": SCHEMA, "seed": 0},
            {"response_format": SCHEMA, "seed": 2**30},
        ],
    ),
]


@pytest.mark.parametrize(("fields", "retry", "expected"), ATTEMPTS)
def test_requests_that_are_made(
    fields: dict[str, Any], retry: bool, expected: list[dict[str, Any]]
) -> None:
    request: Any = {"messages": HI, "response_format": SCHEMA, **fields}
    before: ChatRequest = request.copy()
    assert to_attempts(request, retry=retry) == [{"messages": HI, **each} for each in expected]
    assert request == before


# The finished text.


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("{}", True),
        (' {"a": [1]}\n\n  ', True),
        ("[]", False),
        ('"a"', False),
        ("null", False),
        ("", False),
        ("{", False),
        ('{"a": 1} {"b": 2}', False),
        ("Here it is: {}", False),
    ],
)
def test_json_object_is_one_object_and_nothing_else(answer: str, expected: bool) -> None:
    assert fits(OBJECT, answer) is expected


def test_schema_decides_where_there_is_one() -> None:
    assert fits(SCHEMA, '{"city": "Porto"}')
    assert not fits(SCHEMA, "{}")


BLOCKS = pytest.mark.parametrize("block", [1, 2, 3, 5])
HOLDS = pytest.mark.parametrize("holds", [True, False])


@BLOCKS
@HOLDS
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(GOOD, id="fits"),
        pytest.param([ROLE, THOUGHT, *GOOD[1:]], id="fits after thoughts"),
        pytest.param([ROLE, text('{"ci'), *LENGTH], id="cut by length"),
        pytest.param([ROLE, text("I can"), *FILTER], id="cut by a filter"),
        pytest.param([ROLE, CALL, *CALLED], id="a call"),
        pytest.param([ROLE, text("Let me see."), CALL, *CALLED], id="a call after text"),
        pytest.param([ROLE, CALL, text("Done."), *STOP], id="a call that ends in stop"),
    ],
)
def test_answer_that_may_pass_comes_out_whole(answer: list[Chunk], holds: bool, block: int) -> None:
    assert check(answer, holds=holds, block=block) == (answer, False)


@BLOCKS
def test_answer_that_misses_ends_before_its_finish_chunk(block: int) -> None:
    assert check(BAD, holds=False, block=block) == (BAD[:3], True)


@BLOCKS
def test_held_answer_that_misses_leaves_no_trace(block: int) -> None:
    assert check(BAD, holds=True, block=block) == ([], True)


def test_answer_streams_while_it_is_looked_at() -> None:
    stage = FormCheck(SCHEMA, holds=False)
    assert stage.feed([ROLE, GOOD[1]]) == [ROLE, GOOD[1]]


def test_held_answer_comes_out_with_its_finish_chunk() -> None:
    stage = FormCheck(SCHEMA, holds=True)
    assert stage.feed(GOOD[:3]) == []
    assert stage.feed([GOOD[3]]) == GOOD[:4]
    assert stage.feed([GOOD[4]]) == [GOOD[4]]


def test_call_lets_out_what_was_held() -> None:
    stage = FormCheck(SCHEMA, holds=True)
    assert stage.feed([ROLE, text("Let me see.")]) == []
    assert stage.feed([CALL]) == [ROLE, text("Let me see."), CALL]


def test_answer_without_a_word_misses() -> None:
    assert check([ROLE, *STOP], holds=False) == ([ROLE], True)


def test_thoughts_are_no_part_of_the_answer() -> None:
    thought: Any = {"reasoning_content": '{"city": "Porto"}', "reasoning": '{"city": "Porto"}'}
    assert check([ROLE, to_chunk(FRAME, thought), *STOP], holds=True) == ([], True)


@pytest.mark.parametrize(
    ("form", "words"),
    [(SCHEMA, "misses the schema of response_format"), (OBJECT, "misses the form of")],
)
def test_error_says_what_was_missed_and_repeats_no_answer(form: ResponseFormat, words: str) -> None:
    stage = FormCheck(form, holds=False)
    stage.feed([text("secret words"), *STOP])
    error = stage.error
    assert isinstance(error, StructuredOutputInvalid)
    assert words in error.message
    assert error.param == "response_format"
    assert "secret" not in error.message
