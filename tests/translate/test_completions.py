"""Completions with Ollama: requests up, lines down to chunks."""

from typing import Any

import pytest

from tensoria.errors import BackendError, ContextLengthExceeded, TensoriaError
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import to_text_chunk
from tensoria.translate.completions import ToTextChunks, echoed, to_generate
from tensoria.wire.openai import FinishReason
from tests.fake_ollama import chat_line, error_line, generate_done_line, generate_line

FRAME = Frame(id="cmpl-1", created=7, model="m", fingerprint="fp_1")


def upstream(**members: Any) -> dict[str, Any]:
    """What goes up for the second of two prompts and these fields."""
    request: Any = {"prompt": ["a", "b"], **members}
    body: Any = to_generate(
        request,
        "b",
        model="m:latest",
        max_tokens=256,
        temperature=None,
        keep_alive="5m",
        context_length=None,
    )
    return dict(body)


def test_whole_request() -> None:
    """Every field at once; `model` is the canonical name, and not what the client wrote."""
    request: Any = {
        "model": "M",
        "prompt": ["def f("],
        "suffix": "return x",
        "raw": False,
        "echo": True,
        "stream": False,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "top_p": 0.9,
        "max_tokens": 9,
        "stop": ["END"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
        "user": "somebody",
    }
    assert to_generate(
        request,
        "def f(",
        model="m:latest",
        max_tokens=64,
        temperature=0.7,
        keep_alive=-1,
        context_length=8192,
    ) == {
        "model": "m:latest",
        "prompt": "def f(",
        "suffix": "return x",
        "raw": False,
        "think": False,
        "stream": True,
        "truncate": False,
        "shift": False,
        "keep_alive": -1,
        "options": {
            "num_predict": 64,
            "num_ctx": 8192,
            "temperature": 0.2,
            "top_p": 0.9,
            "stop": ["END"],
            "seed": 7,
            "presence_penalty": 0.1,
            "frequency_penalty": -0.1,
        },
    }


def test_smallest_request() -> None:
    assert upstream() == {
        "model": "m:latest",
        "prompt": "b",
        "raw": True,
        "think": False,
        "stream": True,
        "truncate": False,
        "shift": False,
        "keep_alive": "5m",
        "options": {"num_predict": 256},
    }


@pytest.mark.parametrize(
    ("members", "raw"),
    [({}, True), ({"raw": True}, True), ({"raw": False}, False), ({"suffix": "c"}, False)],
)
def test_text_is_continued_raw_unless_asked_otherwise_or_a_gap_is_filled(
    members: dict[str, Any], raw: bool
) -> None:
    assert upstream(**members)["raw"] is raw


def test_prompt_is_echoed_only_when_asked_for() -> None:
    requests: list[Any] = [{}, {"echo": False}, {"echo": True}]
    assert [echoed(request, "a") for request in requests] == [None, None, "a"]


def said(text: str, reason: FinishReason | None = None) -> Any:
    return to_text_chunk(FRAME, 1, text, reason)


def thought(text: str) -> Any:
    chunk = to_text_chunk(FRAME, 1, "")
    chunk["choices"][0]["reasoning_content"] = text
    return chunk


# (name, the lines of an answer that ends well, its chunks after the echoed prompt)
ANSWERS: list[tuple[str, list[bytes], list[Any]]] = [
    (
        "text",
        [generate_line(" wo"), generate_line("rld"), generate_done_line()],
        [said(" wo"), said("rld"), said("", "stop")],
    ),
    (
        "cut at its limit",
        [generate_line("a"), generate_done_line("length")],
        [said("a"), said("", "length")],
    ),
    ("no text", [generate_done_line()], [said("", "stop")]),
    ("everything in one line", [generate_done_line(text="a")], [said("a"), said("", "stop")]),
    (
        "empty lines between",
        [generate_line(""), generate_line("\n"), generate_line(""), generate_done_line()],
        [said("\n"), said("", "stop")],
    ),
    (
        "thinking that cannot be turned off",
        [generate_line("", thinking="Hm."), generate_line("a"), generate_done_line()],
        [thought("Hm."), said("a"), said("", "stop")],
    ),
    (
        "thinking that is none",
        [generate_line("a", thinking=""), generate_line("b", thinking=5), generate_done_line()],
        [said("a"), said("b"), said("", "stop")],
    ),
    (
        "a second end",
        [generate_done_line(text="a"), generate_done_line(text="b"), error_line("late")],
        [said("a"), said("", "stop")],
    ),
]


@pytest.mark.parametrize("at_a_time", [1, 2, 100])
@pytest.mark.parametrize(("_name", "lines", "expected"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_lines_become_chunks(
    _name: str, lines: list[bytes], expected: list[Any], at_a_time: int
) -> None:
    """However many lines one block brings."""
    translator = ToTextChunks(FRAME, index=1, echo="The sky is")
    found: list[Any] = []
    for start in range(0, len(lines), at_a_time):
        found += translator.feed(lines[start : start + at_a_time])
    assert found == [said("The sky is"), *expected]
    assert translator.finished
    assert translator.error is None
    assert translator.usage == {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}


# (name, the line that fails)
FAULTS: list[tuple[str, bytes]] = [
    ("an error", error_line("an error was encountered while running the model: unexpected EOF")),
    ("an error beside a response", b'{"error":"it broke","response":"x"}'),
    ("no JSON", b"<html>"),
    ("half of a line", generate_line("a")[:40]),
    ("a list", b"[]"),
    ("null", b"null"),
    ("an empty object", b"{}"),
    ("a response that is null", b'{"response":null,"done":false}'),
    ("a response that is a number", b'{"response":5}'),
    ("a line of a chat", chat_line("a")),
    ("the end without a reason", generate_done_line(None)),
    ("the end of a load", generate_done_line("load")),
    ("the end for an unknown reason", generate_done_line("bored")),
]


@pytest.mark.parametrize(("_name", "fault"), FAULTS, ids=[row[0] for row in FAULTS])
def test_fault_after_text_gives_the_text_first_and_then_the_error(_name: str, fault: bytes) -> None:
    translator = ToTextChunks(FRAME, index=1)
    found: list[Any] = list(translator.feed([generate_line("a"), fault, generate_line("late")]))
    assert found == [said("a")]
    assert type(translator.error) is BackendError
    assert not translator.finished
    assert translator.usage is None
    assert translator.feed([generate_done_line()]) == []


@pytest.mark.parametrize(("_name", "fault"), FAULTS, ids=[row[0] for row in FAULTS])
def test_fault_in_the_first_line_gives_no_chunk_not_even_the_echo(_name: str, fault: bytes) -> None:
    """So the answer can still have its true status."""
    translator = ToTextChunks(FRAME, echo="The sky is")
    assert translator.feed([fault]) == []
    assert isinstance(translator.error, TensoriaError)


def test_overflow_in_a_stream_names_the_prompt_and_the_context_that_is_known() -> None:
    translator = ToTextChunks(FRAME, context=4096)
    translator.feed([error_line("the input length exceeds the context length")])
    assert isinstance(translator.error, ContextLengthExceeded)
    assert translator.error.param == "prompt"
    assert "4096" in translator.error.message
