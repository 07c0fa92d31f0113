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


def called(index: int, **function: str) -> Delta:
    return {"tool_calls": [{"index": index, "function": function}]}  # type: ignore[typeddict-item]


def test_pieces_of_calls_are_added_up_by_their_index() -> None:
    """Ollama sends a call whole, llama.cpp and vLLM in pieces that may alternate."""
    first: Delta = {
        "tool_calls": [
            {"index": 0, "id": "call_a", "type": "function", "function": {"name": "f"}},
            {"index": 1, "id": "call_b", "type": "function", "function": {"name": "g"}},
        ]
    }
    message = completed(
        to_chunk(FRAME, first),
        to_chunk(FRAME, called(1, arguments='{"b"')),
        to_chunk(FRAME, called(0, arguments="{}")),
        to_chunk(FRAME, called(1, arguments=":1}")),
        *ended("tool_calls"),
    )["choices"][0]["message"]

    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": '{"b":1}'}},
    ]


def test_text_before_a_call_is_kept() -> None:
    message = completed(said(content="Wait."), said(**called(0, name="f")), *ended("tool_calls"))
    assert message["choices"][0]["message"]["content"] == "Wait."


def test_log_probabilities_are_joined() -> None:
    def token(text: str) -> Any:
        entry = {"token": text, "logprob": -0.5, "bytes": [97], "top_logprobs": []}
        return {"content": [entry], "refusal": None}

    choice = completed(
        to_chunk(FRAME, {"content": "a"}, logprobs=token("a")),
        to_chunk(FRAME, {"content": "b"}, logprobs=token("b")),
        *ended(),
    )["choices"][0]
    assert [entry["token"] for entry in choice["logprobs"]["content"]] == ["a", "b"]
    assert choice["logprobs"]["refusal"] is None


def test_choices_are_kept_apart_and_put_in_order() -> None:
    def of(index: int, chunk: Chunk) -> Chunk:
        chunk["choices"][0]["index"] = index
        return chunk

    choices = completed(
        of(1, said(content="b")),
        of(0, said(content="a")),
        of(1, to_chunk(FRAME, {}, "length")),
        of(0, to_chunk(FRAME, {}, "stop")),
    )["choices"]
    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in choices] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]
