"""Chunks: how each is built, and what they add up to."""

from typing import Any, cast

import pytest

from tensoria.errors import BackendError
from tensoria.translate.chunks import Frame, ToCompletion, to_chunk, to_last_chunks, to_usage
from tensoria.wire.openai import Chunk, Delta, FinishReason, Usage

FRAME = Frame(id="chatcmpl-1", created=7, model="m", fingerprint="fp_1")
USAGE: Usage = {"prompt_tokens": 26, "completion_tokens": 3, "total_tokens": 29}


@pytest.mark.parametrize(
    ("prompt", "completion", "expected"),
    [
        (26, 3, (26, 3, 29)),
        (None, 3, (0, 3, 3)),
        (26, None, (26, 0, 26)),
        (None, None, (0, 0, 0)),
        ("26", 3.5, (0, 0, 0)),
    ],
)
def test_counts(prompt: object, completion: object, expected: tuple[int, int, int]) -> None:
    assert tuple(to_usage(prompt, completion).values()) == expected


def test_chunk_of_a_stream_without_usage_has_no_such_member() -> None:
    frame = Frame(id="i", created=1, model="m", include_usage=False)
    assert to_chunk(frame, {"content": "a"}) == {
        "id": "i",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "system_fingerprint": None,
        "choices": [
            {"index": 0, "delta": {"content": "a"}, "logprobs": None, "finish_reason": None}
        ],
    }


def test_usage_that_is_not_known_gives_no_usage_chunk() -> None:
    assert to_last_chunks(FRAME, "stop", None) == [to_chunk(FRAME, {}, "stop")]


def completed(*chunks: Chunk) -> dict[str, Any]:
    adder = ToCompletion()
    for one in chunks:
        adder.feed([one])
    return {**adder.completion()}


def said(**delta: Any) -> Chunk:
    return to_chunk(FRAME, cast("Delta", delta))


def ended(reason: FinishReason = "stop", usage: Usage | None = USAGE) -> list[Chunk]:
    return to_last_chunks(FRAME, reason, usage)


def test_chunks_add_up_to_a_completion() -> None:
    assert completed(
        said(role="assistant", content=""), said(content="Hel"), said(content="lo"), *ended()
    ) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 26, "completion_tokens": 3, "total_tokens": 29},
    }


def test_thinking_is_told_under_both_names_and_apart_from_the_text() -> None:
    found = completed(
        said(reasoning_content="Hm", reasoning="Hm"),
        said(reasoning_content=".", reasoning="."),
        said(content="Yes"),
        *ended(),
    )
    assert found["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Yes",
        "refusal": None,
        "reasoning_content": "Hm.",
        "reasoning": "Hm.",
    }


def test_answer_without_text_is_an_empty_string() -> None:
    assert completed(*ended())["choices"][0]["message"]["content"] == ""


def test_completion_that_was_cut_says_so() -> None:
    assert completed(*ended("length"))["choices"][0]["finish_reason"] == "length"


def test_completion_without_known_usage_has_no_such_member() -> None:
    """Zeros would be a lie."""
    assert "usage" not in completed(said(content="a"), *ended(usage=None))


@pytest.mark.parametrize("chunks", [[], [said(content="a")]], ids=["nothing", "text"])
def test_answer_without_an_end_is_an_error(chunks: list[Chunk]) -> None:
    with pytest.raises(BackendError, match="without a reason"):
        completed(*chunks)
