"""Chunks of a text completion: how each is built, and what they add up to."""

from typing import Any

import pytest

from tensoria.errors import BackendError, ContextLengthExceeded, TensoriaError
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import (
    TextAnswer,
    ToTextCompletion,
    of_prompt,
    sum_usage,
    to_text_chunk,
    to_usage_chunks,
)
from tensoria.wire.completions import TextChunk
from tensoria.wire.openai import Usage

FRAME = Frame(id="cmpl-1", created=7, model="m", fingerprint="fp_1")
QUIET = Frame(id="cmpl-1", created=7, model="m", include_usage=False)
USAGE: Usage = {"prompt_tokens": 26, "completion_tokens": 3, "total_tokens": 29}


def test_chunk() -> None:
    assert to_text_chunk(FRAME, 2, "a", "length") == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 7,
        "model": "m",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 2, "text": "a", "logprobs": None, "finish_reason": "length"}],
        "usage": None,
    }


def test_chunk_of_a_stream_without_usage_has_no_such_member() -> None:
    assert "usage" not in to_text_chunk(QUIET, 0, "a")


def test_usage_chunk_has_no_choices() -> None:
    (chunk,) = to_usage_chunks(FRAME, USAGE)
    assert chunk["choices"] == []
    assert chunk["usage"] == USAGE


@pytest.mark.parametrize(("frame", "usage"), [(FRAME, None), (QUIET, USAGE), (QUIET, None)])
def test_usage_that_is_not_known_or_not_asked_for_gives_no_chunk(
    frame: Frame, usage: Usage | None
) -> None:
    assert to_usage_chunks(frame, usage) == []


def test_usage_of_several_runs_is_their_sum() -> None:
    twice = {"prompt_tokens": 52, "completion_tokens": 6, "total_tokens": 58}
    assert sum_usage([USAGE, USAGE]) == twice
    assert USAGE["total_tokens"] == 29


def test_prompt_of_several_choices_is_counted_once() -> None:
    """Two prompts with two choices each."""
    other: Usage = {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
    assert sum_usage([USAGE, USAGE, other, other], choices=2) == {
        "prompt_tokens": 30,
        "completion_tokens": 8,
        "total_tokens": 38,
    }


def test_what_the_cache_held_is_counted_with_its_prompt() -> None:
    cached: Usage = {**USAGE, "prompt_tokens_details": {"cached_tokens": 20}}
    total = sum_usage([cached, cached, USAGE, USAGE, cached, cached], choices=2)
    assert total is not None
    assert total["prompt_tokens"] == 78
    assert total["prompt_tokens_details"] == {"cached_tokens": 40}


def test_sum_with_an_unknown_part_is_unknown() -> None:
    assert sum_usage([USAGE, None]) is None


def test_overflow_is_the_prompts_fault() -> None:
    error = of_prompt(ContextLengthExceeded(context=5, prompt=9))
    assert error.param == "prompt"
    assert "maximum context length is 5 tokens" in error.message


def test_another_error_stays_as_it_is() -> None:
    error = TensoriaError("x", param="suffix")
    assert of_prompt(error) is error
    assert error.param == "suffix"


def spoken(echo: str | None) -> list[Any]:
    answer, chunks = TextAnswer(FRAME, 1, echo), list[TextChunk]()
    answer.say("", chunks)
    answer.say("a", chunks)
    answer.finish("stop", chunks)
    return [(c["choices"][0]["text"], c["choices"][0]["finish_reason"]) for c in chunks]


def test_echo_is_the_first_chunk_and_comes_once() -> None:
    assert spoken("The sky is") == [("The sky is", None), ("a", None), ("", "stop")]


def test_without_echo_there_is_text_and_its_end() -> None:
    assert spoken(None) == [("a", None), ("", "stop")]


def completed(*chunks: TextChunk) -> dict[str, Any]:
    adder = ToTextCompletion()
    for one in chunks:
        adder.feed([one])
    return {**adder.completion()}


def test_chunks_add_up_to_a_completion_with_a_choice_for_each_index() -> None:
    found = completed(
        to_text_chunk(FRAME, 1, "b"),
        to_text_chunk(FRAME, 0, "Hel"),
        to_text_chunk(FRAME, 1, "", "length"),
        to_text_chunk(FRAME, 0, "lo"),
        to_text_chunk(FRAME, 0, "", "stop"),
        *to_usage_chunks(FRAME, USAGE),
    )
    assert found == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 7,
        "model": "m",
        "system_fingerprint": "fp_1",
        "choices": [
            {"index": 0, "text": "Hello", "logprobs": None, "finish_reason": "stop"},
            {"index": 1, "text": "b", "logprobs": None, "finish_reason": "length"},
        ],
        "usage": USAGE,
    }


def test_thought_stands_beside_the_text() -> None:
    answer, chunks = TextAnswer(FRAME, 0, None), list[TextChunk]()
    answer.think("Hm", chunks)
    answer.think(".", chunks)
    answer.say("Yes", chunks)
    answer.finish("stop", chunks)
    (choice,) = completed(*chunks)["choices"]
    assert choice["text"] == "Yes"
    assert choice["reasoning_content"] == "Hm."


def test_completion_without_known_usage_has_no_such_member() -> None:
    """Zeros would be a lie."""
    assert "usage" not in completed(to_text_chunk(FRAME, 0, "", "stop"))


def test_answer_without_a_word_is_an_error() -> None:
    with pytest.raises(BackendError, match="without a word"):
        completed()


def test_choice_without_an_end_is_an_error() -> None:
    with pytest.raises(BackendError, match="without a reason"):
        completed(to_text_chunk(FRAME, 0, "", "stop"), to_text_chunk(FRAME, 1, "a"))
