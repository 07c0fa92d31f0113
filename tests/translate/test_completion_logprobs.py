"""A text completion's log probabilities, in the older form."""

import json
from typing import Any

import pytest

from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import ToTextCompletion
from tensoria.translate.completion_logprobs import from_openai_text, to_text_chunks
from tensoria.translate.completions import ToTextChunks, to_generate
from tensoria.translate.completions_passthrough import FromOpenAIText, to_openai_completion
from tensoria.wire.completions import TextChunk
from tests.fake_ollama import generate_done_line, generate_line

FRAME = Frame(id="cmpl-1", created=7, model="m")
A = {"token": "a", "logprob": -0.5, "bytes": [97]}
B = {"token": "b", "logprob": -1.5, "bytes": [98]}
OLDER = {
    "tokens": ["a"],
    "token_logprobs": [-0.5],
    "top_logprobs": [{"a": -0.5, "b": -1.5}],
    "text_offset": [90],
}


def asking(logprobs: int | None) -> Any:
    return {"prompt": ["p"]} if logprobs is None else {"prompt": ["p"], "logprobs": logprobs}


def event(text: str, logprobs: Any = None, reason: str | None = None) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason}
    return json.dumps({"choices": [choice]}).encode()


def seen(chunks: list[TextChunk]) -> list[Any]:
    """Each chunk's text, with tokens and offsets that are told of it."""
    found = []
    for chunk in chunks:
        for choice in chunk["choices"]:
            told = choice["logprobs"]
            pair = (told["tokens"], told["text_offset"]) if told else None
            found.append((choice["text"], pair, choice["finish_reason"]))
    return found


def test_other_completions_pay_nothing() -> None:
    assert to_text_chunks(asking(None)) is ToTextChunks
    assert from_openai_text(asking(None)) is FromOpenAIText


@pytest.mark.parametrize(("asked", "openai"), [(0, 1), (5, 5)])
def test_what_is_asked_for_goes_up(asked: int, openai: int) -> None:
    up: Any = to_generate(
        asking(asked),
        "p",
        model="m",
        max_tokens=1,
        temperature=None,
        keep_alive=1,
        context_length=None,
    )
    assert (up["logprobs"], up["top_logprobs"]) == (True, asked)
    body = to_openai_completion(
        asking(asked), "p", model="m", max_tokens=1, temperature=0, llama_cpp=False
    )
    assert body["logprobs"] == openai


def test_biases_go_up_to_engines_that_speak_openai() -> None:
    request: Any = {"prompt": ["p"], "logit_bias": {"7": -100}}
    body = to_openai_completion(
        request, "p", model="m", max_tokens=1, temperature=0, llama_cpp=False
    )
    assert body["logit_bias"] == {"7": -100}


# (name, lines of Ollama's, texts with their tokens and offsets)
LINES: list[tuple[str, list[bytes], list[Any]]] = [
    (
        "text",
        [generate_line("a", logprobs=[A]), generate_line("b", logprobs=[B]), generate_done_line()],
        [("a", (["a"], [0]), None), ("b", (["b"], [1]), None), ("", None, "stop")],
    ),
    (
        "without text",
        [generate_line("", logprobs=[A]), generate_line("b", logprobs=[B])],
        [("", (["a"], [0]), None), ("b", (["b"], [1]), None)],
    ),
    (
        "a thought's are left out",
        [generate_line("", thinking="hm", logprobs=[A])],
        [("", None, None)],
    ),
    ("none", [generate_line("a")], [("a", None, None)]),
    (
        "on the last line",
        [generate_line("", done=True, done_reason="length", logprobs=[A, B])],
        [("", (["a", "b"], [0, 1]), None), ("", None, "length")],
    ),
]


@pytest.mark.parametrize(("lines", "expected"), [r[1:] for r in LINES], ids=[r[0] for r in LINES])
def test_tokens_of_ollama_stand_with_their_text(lines: list[bytes], expected: list[Any]) -> None:
    translator = to_text_chunks(asking(2))(FRAME, index=3)
    chunks = translator.feed(lines)
    assert translator.error is None
    assert seen(chunks) == expected
    assert {choice["index"] for chunk in chunks for choice in chunk["choices"]} == {3}


def test_tokens_add_up_in_a_whole_answer() -> None:
    translator, answer = to_text_chunks(asking(1))(FRAME, index=0), ToTextCompletion()
    first = generate_line("a", logprobs=[{**A, "top_logprobs": [A]}])
    second = generate_line("b", logprobs=[{**B, "top_logprobs": [A]}])
    answer.feed(translator.feed([first, second, generate_done_line()]))
    assert answer.completion()["choices"][0]["logprobs"] == {
        "tokens": ["a", "b"],
        "token_logprobs": [-0.5, -1.5],
        "top_logprobs": [{"a": -0.5}, {"a": -0.5, "b": -1.5}],
        "text_offset": [0, 1],
    }


@pytest.mark.parametrize(
    "told", [OLDER, {"content": [{**A, "top_logprobs": [A, B]}]}], ids=["vllm", "llama.cpp"]
)
def test_either_form_of_an_engine_becomes_the_older_one(told: Any) -> None:
    translator = from_openai_text(asking(2))(FRAME, index=1)
    chunks = translator.feed([event("a", told), event("", None, "stop"), b"[DONE]"])
    assert [chunk["choices"][0] for chunk in chunks] == [
        {
            "index": 1,
            "text": "a",
            "logprobs": {**OLDER, "text_offset": [0]},
            "finish_reason": None,
        },
        {"index": 1, "text": "", "logprobs": None, "finish_reason": "stop"},
    ]


def test_the_chosen_token_alone_is_told_where_no_others_were_asked_for() -> None:
    translator = from_openai_text(asking(0))(FRAME, index=0)
    (chunk,) = translator.feed([event("a", OLDER)])
    told = chunk["choices"][0]["logprobs"]
    assert told is not None
    assert told["top_logprobs"] == [{"a": -0.5}]


def test_unreadable_ones_end_the_answer_after_what_was_said() -> None:
    theirs = to_text_chunks(asking(1))(FRAME, index=0)
    said = theirs.feed([generate_line("a", logprobs=[A]), generate_line("b", logprobs=7)])
    assert seen(said) == [("a", (["a"], [0]), None)]
    assert theirs.error is not None

    other = from_openai_text(asking(1))(FRAME, index=0)
    assert other.feed([event("a", "x")]) == []
    assert other.error is not None


def test_what_is_broken_elsewhere_is_broken_here() -> None:
    theirs = to_text_chunks(asking(1))(FRAME, index=0)
    assert theirs.feed([json.dumps({"response": 7, "logprobs": [A]}).encode()]) == []
    assert theirs.error is not None
    nothing = to_text_chunks(asking(1))(FRAME, index=0)
    assert nothing.feed([b"7"]) == []
    assert nothing.error is not None
    for choice in (7, {"text": 7, "logprobs": {"content": [A]}}):
        other = from_openai_text(asking(1))(FRAME, index=0)
        assert other.feed([json.dumps({"choices": [choice]}).encode()]) == []
        assert other.error is not None
