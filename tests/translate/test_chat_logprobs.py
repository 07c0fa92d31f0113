"""A chat's log probabilities: asked for, and put on the chunks that they belong to."""

import json
from typing import Any

import pytest

from tensoria.translate.chat import ToChunks, to_ollama
from tensoria.translate.chat_logprobs import from_openai, to_chunks
from tensoria.translate.chat_passthrough import FromOpenAI, to_openai
from tensoria.translate.chunks import Frame, ToCompletion
from tensoria.wire.openai import ChatRequest, Chunk
from tests.fake_ollama import done_line

FRAME = Frame(id="chatcmpl-1", created=7, model="m")
PLAIN: ChatRequest = {"messages": [{"role": "user", "content": "hi"}]}
ASKED: ChatRequest = {**PLAIN, "logprobs": True}
A = {"token": "a", "logprob": -0.5, "bytes": [97]}
B = {"token": "b", "logprob": -1.5, "bytes": [98]}
ROLE = ({"role": "assistant", "content": ""}, None)
SAID_A = ({"content": "a"}, ["a"])


def line(text: str, *tokens: Any, **message: Any) -> bytes:
    said = {"message": {"role": "assistant", "content": text, **message}, "done": False}
    return json.dumps({**said, "logprobs": list(tokens)} if tokens else said).encode()


def event(delta: Any, logprobs: Any = None, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    return json.dumps({"choices": [choice]}).encode()


def seen(chunks: list[Chunk]) -> list[Any]:
    """Each chunk's delta with the tokens that are told of it."""
    found = []
    for chunk in chunks:
        for choice in chunk["choices"]:
            told = choice["logprobs"]
            tokens = [token["token"] for token in told["content"]] if told else None
            found.append((choice["delta"], tokens))
    return found


def down(*lines: bytes) -> list[Any]:
    translator = to_chunks(ASKED)(FRAME)
    chunks = translator.feed(lines)
    assert translator.error is None
    return seen(chunks)


def down_openai(*events: bytes) -> list[Any]:
    translator = from_openai(ASKED)(FRAME)
    chunks = translator.feed(events)
    assert translator.error is None
    return seen(chunks)


def test_other_chats_pay_nothing() -> None:
    assert to_chunks(PLAIN) is ToChunks
    assert from_openai(PLAIN) is FromOpenAI


# (name, members of the request, top_logprobs for Ollama, for an engine that speaks OpenAI)
ASKS = [({"logprobs": True}, 0, 1), ({"logprobs": True, "top_logprobs": 7}, 7, 7)]


@pytest.mark.parametrize(("members", "ollama", "openai"), ASKS)
def test_what_is_asked_for_goes_up(members: dict[str, Any], ollama: int, openai: int) -> None:
    """llama.cpp tells nothing when it is asked for 0, so one more is asked for and left out."""
    request: Any = {**PLAIN, **members}
    up: Any = to_ollama(
        request,
        model="m",
        max_tokens=1,
        temperature=None,
        keep_alive=1,
        context_length=None,
    )
    assert (up["logprobs"], up["top_logprobs"]) == (True, ollama)
    body = to_openai(request, model="m", max_tokens=1, temperature=0, progress=False)
    assert (body["logprobs"], body["top_logprobs"]) == (True, openai)


def test_biases_go_up_to_engines_that_speak_openai() -> None:
    request: Any = {**PLAIN, "logit_bias": {"7": -100}}
    body = to_openai(request, model="m", max_tokens=1, temperature=0, progress=False)
    assert body["logit_bias"] == {"7": -100}
    assert "logprobs" not in body


# (name, lines of Ollama's, deltas and the tokens told of each)
LINES: list[tuple[str, list[bytes], list[Any]]] = [
    ("text", [line("a", A), line("b", B)], [ROLE, SAID_A, ({"content": "b"}, ["b"])]),
    ("several tokens at once", [line("ab", A, B)], [ROLE, ({"content": "ab"}, ["a", "b"])]),
    (
        "no text at first",
        [line("", A), line("b", B)],
        [ROLE, ({"content": ""}, ["a"]), ({"content": "b"}, ["b"])],
    ),
    ("no text later", [line("a", A), line("", B)], [ROLE, SAID_A, ({"content": ""}, ["b"])]),
    ("text without", [line("a")], [ROLE, ({"content": "a"}, None)]),
    (
        "a thought's are left out",
        [line("", A, thinking="hm"), line("a", A)],
        [ROLE, ({"reasoning_content": "hm", "reasoning": "hm"}, None), SAID_A],
    ),
    (
        "a thought that ends",
        [line("b", B, thinking="hm")],
        [ROLE, ({"reasoning_content": "hm", "reasoning": "hm"}, None), ({"content": "b"}, ["b"])],
    ),
    (
        "on the last line",
        [line("a", A), done_line(logprobs=[B])],
        [ROLE, SAID_A, ({"content": ""}, ["b"]), ({}, None)],
    ),
    (
        "on the only line",
        [done_line(logprobs=[A])],
        [ROLE, ({"content": ""}, ["a"]), ({}, None)],
    ),
    (
        "a whole answer",
        [done_line(text="a", logprobs=[A])],
        [ROLE, SAID_A, ({}, None)],
    ),
]


@pytest.mark.parametrize(("lines", "expected"), [r[1:] for r in LINES], ids=[r[0] for r in LINES])
def test_tokens_of_ollama_stand_with_their_text(lines: list[bytes], expected: list[Any]) -> None:
    assert down(*lines) == expected
    assert down(b"".join(lines[:1]), *lines[1:]) == expected


def test_chunk_with_log_probabilities_is_openais() -> None:
    chunk = to_chunks(ASKED)(FRAME).feed([line("a", {**A, "top_logprobs": [A, B]})])[1]
    assert chunk["choices"] == [
        {
            "index": 0,
            "delta": {"content": "a"},
            "logprobs": {"content": [{**A, "top_logprobs": [A, B]}], "refusal": None},
            "finish_reason": None,
        }
    ]


def test_tokens_add_up_in_a_whole_answer() -> None:
    answer, translator = ToCompletion(), to_chunks(ASKED)(FRAME)
    answer.feed(translator.feed([line("a", A), line("b", B), done_line()]))
    assert answer.completion()["choices"][0]["logprobs"] == {
        "content": [{**A, "top_logprobs": []}, {**B, "top_logprobs": []}],
        "refusal": None,
    }


# (name, events of an engine that speaks OpenAI, deltas and the tokens told of each)
EVENTS: list[tuple[str, list[bytes], list[Any]]] = [
    ("text", [event({"content": "a"}, {"content": [A]})], [ROLE, SAID_A]),
    ("none", [event({"content": "a"})], [ROLE, ({"content": "a"}, None)]),
    (
        "with the role",
        [event({"role": "assistant", "content": None}, {"content": [A]})],
        [ROLE, ({"content": ""}, ["a"])],
    ),
    (
        "with the reason",
        [
            event({"content": "a"}, {"content": [A]}),
            event({}, {"content": [B]}, "stop"),
            b"[DONE]",
        ],
        [ROLE, SAID_A, ({"content": ""}, ["b"]), ({}, None)],
    ),
    (
        "a thought's are left out",
        [event({"reasoning": "hm"}, {"content": [A]})],
        [ROLE, ({"reasoning_content": "hm", "reasoning": "hm"}, None)],
    ),
]


@pytest.mark.parametrize(
    ("events", "expected"), [r[1:] for r in EVENTS], ids=[r[0] for r in EVENTS]
)
def test_tokens_of_such_engines_stand_with_their_text(
    events: list[bytes], expected: list[Any]
) -> None:
    assert down_openai(*events) == expected


def test_what_was_asked_for_above_the_client_is_left_out() -> None:
    told = {"content": [{**A, "top_logprobs": [A]}]}
    chunk = from_openai(ASKED)(FRAME).feed([event({"content": "a"}, told)])[1]
    logprobs = chunk["choices"][0]["logprobs"]
    assert logprobs is not None
    assert logprobs["content"] == [{**A, "top_logprobs": []}]


def test_unreadable_ones_end_the_answer_after_what_was_said() -> None:
    translator = to_chunks(ASKED)(FRAME)
    chunks = translator.feed([line("a", A), line("b", 7), line("c")])
    assert seen(chunks) == [ROLE, SAID_A]
    assert translator.error is not None
    assert "cannot be read" in translator.error.message


def test_unreadable_ones_of_such_an_engine_too() -> None:
    translator = from_openai(ASKED)(FRAME)
    chunks = translator.feed([event({"content": "a"}, {"content": [A]}), event({}, "x")])
    assert seen(chunks) == [ROLE, SAID_A]
    assert translator.error is not None
    assert "cannot be read" in translator.error.message


def test_broken_lines_are_what_they_are_elsewhere() -> None:
    for broken in (b"7", b'{"error": "x", "logprobs": [%s]}' % json.dumps(A).encode()):
        translator = to_chunks(ASKED)(FRAME)
        assert translator.feed([broken]) == []
        assert translator.error is not None


def test_broken_choices_are_what_they_are_elsewhere() -> None:
    for choice in (7, {"delta": 7, "logprobs": {"content": [A]}}):
        translator = from_openai(ASKED)(FRAME)
        assert translator.feed([json.dumps({"choices": [choice]}).encode()]) == []
        assert translator.error is not None
