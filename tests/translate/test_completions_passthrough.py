"""Completions with an engine that speaks OpenAI: its events made regular."""

import json
from typing import Any

import pytest

from tensoria.errors import (
    BackendError,
    ContextLengthExceeded,
    TensoriaError,
    UnsupportedParameter,
)
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import to_text_chunk
from tensoria.translate.completions_passthrough import FromOpenAIText, to_openai_completion
from tensoria.wire.openai import FinishReason

FRAME = Frame(id="cmpl-1", created=7, model="m")
USAGE = {"prompt_tokens": 26, "completion_tokens": 3, "total_tokens": 29}
DONE = b"[DONE]"


def event(text: Any = "", reason: str | None = None, **members: Any) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
    whole = {"id": "theirs", "object": "text_completion", "created": 1, "choices": [choice]}
    return json.dumps(whole | members).encode()


def usage() -> bytes:
    return event(choices=[], usage=USAGE)


def said(text: str, reason: FinishReason | None = None) -> Any:
    return to_text_chunk(FRAME, 1, text, reason)


def upstream(*, llama_cpp: bool = False, **members: Any) -> dict[str, Any]:
    request: Any = {"prompt": ["a", "b"], **members}
    return to_openai_completion(
        request, "b", model="theirs", max_tokens=64, temperature=0.7, llama_cpp=llama_cpp
    )


def test_whole_request() -> None:
    """One prompt a request, and the echo is ours: engines differ in both."""
    assert upstream(
        model="M",
        suffix="c",
        raw=True,
        echo=True,
        stream=False,
        stream_options={"include_usage": False},
        temperature=0,
        top_p=0.9,
        max_tokens=9,
        stop=["END"],
        seed=0,
        presence_penalty=0,
        frequency_penalty=-0.1,
        user="u",
    ) == {
        "model": "theirs",
        "prompt": "b",
        "suffix": "c",
        "max_tokens": 64,
        "temperature": 0,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 0,
        "presence_penalty": 0,
        "frequency_penalty": -0.1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_smallest_request() -> None:
    assert upstream() == {
        "model": "theirs",
        "prompt": "b",
        "max_tokens": 64,
        "temperature": 0.7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_progress_is_asked_of_llama_cpp() -> None:
    assert upstream(llama_cpp=True)["return_progress"] is True


@pytest.mark.parametrize("llama_cpp", [True, False])
def test_template_is_refused_by_name(llama_cpp: bool) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        upstream(raw=False, llama_cpp=llama_cpp)
    assert caught.value.param == "raw"


# (name, the events of an answer that ends well, its chunks after the echoed prompt, whether the
# usage is known)
ANSWERS: list[tuple[str, list[bytes], list[Any], bool]] = [
    (
        "OpenAI itself",
        [event("Hel"), event("lo"), event("", "stop"), usage(), DONE],
        [said("Hel"), said("lo"), said("", "stop")],
        True,
    ),
    (
        "llama.cpp: progress first, usage beside the reason",
        [
            event("", prompt_progress={"total": 3}),
            event("a"),
            event("", "length", usage=USAGE, timings={}),
            DONE,
        ],
        [said("a"), said("", "length")],
        True,
    ),
    (
        "vLLM: the reason on the last text",
        [event("a"), event("b", "stop"), usage(), DONE],
        [said("a"), said("b"), said("", "stop")],
        True,
    ),
    ("no usage at all", [event("a", "stop"), DONE], [said("a"), said("", "stop")], False),
    (
        "error and usage null",
        [event("a", error=None, usage=None), event("", "stop"), DONE],
        [said("a"), said("", "stop")],
        False,
    ),
    ("text null", [event(None), event(None, "stop"), DONE], [said("", "stop")], False),
    (
        "choices missing, null and empty",
        [b"{}", b'{"choices":null}', b'{"choices":[]}', event("a", "stop"), DONE],
        [said("a"), said("", "stop")],
        False,
    ),
    (
        "a filter's end",
        [event("a", "content_filter"), DONE],
        [said("a"), said("", "content_filter")],
        False,
    ),
    (
        "events after the end",
        [event("a", "stop"), DONE, event("late"), b"{"],
        [said("a"), said("", "stop")],
        False,
    ),
]


@pytest.mark.parametrize("at_a_time", [1, 2, 100])
@pytest.mark.parametrize(
    ("_name", "events", "expected", "counted"), ANSWERS, ids=[row[0] for row in ANSWERS]
)
def test_events_become_chunks(
    _name: str, events: list[bytes], expected: list[Any], counted: bool, at_a_time: int
) -> None:
    """However many events one block brings."""
    translator = FromOpenAIText(FRAME, index=1, echo="The sky is")
    found: list[Any] = []
    for start in range(0, len(events), at_a_time):
        found += translator.feed(events[start : start + at_a_time])
    assert found == [said("The sky is"), *expected]
    assert translator.finished
    assert translator.error is None
    assert translator.usage == (USAGE if counted else None)


def test_progress_alone_opens_no_answer() -> None:
    """Until the first token a failure can still have its true status."""
    translator = FromOpenAIText(FRAME, echo="The sky is")
    assert translator.feed([event("", prompt_progress={"total": 9})]) == []


def test_finish_chunk_waits_for_the_end() -> None:
    translator = FromOpenAIText(FRAME, index=1)
    assert translator.feed([event("", "stop"), usage()]) == []
    assert not translator.finished
    found: list[Any] = list(translator.feed([DONE]))
    assert found == [said("", "stop")]


# (name, the event that fails, its class)
FAULTS: list[tuple[str, bytes, type[TensoriaError]]] = [
    ("the end without a reason", DONE, BackendError),
    ("an end for a reason of its own", event("", "abort"), BackendError),
    ("an error", b'{"error":{"code":500,"message":"it broke"}}', BackendError),
    (
        "an overflow",
        b'{"error":{"code":400,"message":"x","type":"exceed_context_size_error","n_ctx":5}}',
        ContextLengthExceeded,
    ),
    ("no JSON", b"<html>", BackendError),
    ("a list", b"[]", BackendError),
    ("null", b"null", BackendError),
    ("choices a string", b'{"choices":"text"}', BackendError),
    ("choice null", b'{"choices":[null]}', BackendError),
    ("text a number", event(5), BackendError),
    ("text a list", event(["a"]), BackendError),
]


@pytest.mark.parametrize(("_name", "fault", "kind"), FAULTS, ids=[row[0] for row in FAULTS])
def test_fault_after_text_gives_the_text_first_and_then_the_error(
    _name: str, fault: bytes, kind: type[TensoriaError]
) -> None:
    translator = FromOpenAIText(FRAME, index=1)
    found: list[Any] = list(translator.feed([event("a"), fault, event("late")]))
    assert found == [said("a")]
    assert type(translator.error) is kind
    assert not translator.finished
    assert translator.feed([event("", "stop"), DONE]) == []


def test_overflow_names_the_prompt() -> None:
    translator = FromOpenAIText(FRAME)
    translator.feed([b'{"error":{"message":"x","type":"exceed_context_size_error","n_ctx":5}}'])
    assert translator.error is not None
    assert translator.error.param == "prompt"
