"""Chat with an engine that speaks OpenAI: its events made regular."""

import json
from typing import Any

import pytest

from tensoria.errors import BackendError, ContextLengthExceeded, ModelLoadFailed, TensoriaError
from tensoria.translate.chat_passthrough import FromOpenAI, to_openai
from tensoria.translate.chunks import Frame, ToCompletion

FRAME = Frame(id="chatcmpl-1", created=7, model="m")
USAGE = {"prompt_tokens": 26, "completion_tokens": 3, "total_tokens": 29}
DONE = b"[DONE]"


def event(delta: Any = None, finish_reason: str | None = None, **members: Any) -> bytes:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish_reason}
    whole = {
        "id": "chatcmpl-theirs",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "theirs.gguf",
        "system_fingerprint": "b11549",
        "choices": [choice],
    }
    return json.dumps(whole | members).encode()


def text(words: str, **members: Any) -> bytes:
    return event({"content": words}, **members)


def usage(**members: Any) -> bytes:
    return event(choices=[], usage=USAGE | members)


def chunk(finish_reason: str | None = None, **delta: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "system_fingerprint": None,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
        "usage": None,
    }


ROLE = chunk(role="assistant", content="")
STOP = chunk("stop")
COUNTED = chunk() | {"choices": [], "usage": USAGE}

# Requests.


def test_response_format_is_passed_as_it_is() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": True}}
    request: Any = {"messages": [{"role": "user", "content": "hi"}], "response_format": form}
    body = to_openai(request, model="m", max_tokens=1, temperature=0.7, progress=False)
    assert body["response_format"] == form


def test_whole_request() -> None:
    request: Any = {
        "model": "M",
        "messages": [
            {"role": "developer", "content": "Be terse."},
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "hi", "name": "bob"},
            {"role": "function", "content": "4", "name": "f"},
            {"role": "tool", "content": "4", "name": "f", "tool_call_id": "c1"},
        ],
        "stream": False,
        "stream_options": {"include_usage": False},
        "temperature": 0.2,
        "top_p": 0.9,
        "max_completion_tokens": 9,
        "stop": ["END"],
        "seed": 0,
        "presence_penalty": 0,
        "frequency_penalty": -0.1,
    }
    assert to_openai(request, model="theirs", max_tokens=64, temperature=0.7, progress=True) == {
        "model": "theirs",
        "messages": [
            {"role": "system", "content": "Be terse.\n\nBe kind."},
            {"role": "user", "content": "hi"},
            {"role": "tool", "content": "4", "name": "f"},
            {"role": "tool", "content": "4", "name": "f", "tool_call_id": "c1"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "top_p": 0.9,
        "max_tokens": 64,
        "stop": ["END"],
        "seed": 0,
        "cache_prompt": False,
        "presence_penalty": 0,
        "frequency_penalty": -0.1,
        "return_progress": True,
    }


def test_smallest_request() -> None:
    request: Any = {"messages": [{"role": "user", "content": "hi"}]}
    assert to_openai(request, model="m", max_tokens=1, temperature=0.7, progress=False) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.7,
        "max_tokens": 1,
    }


def test_clients_temperature_of_zero_wins() -> None:
    request: Any = {"messages": [], "temperature": 0}
    body = to_openai(request, model="m", max_tokens=1, temperature=0.7, progress=False)
    assert body["temperature"] == 0


# (name, the events of an answer that ends well, its chunks)
ANSWERS: list[tuple[str, list[bytes], list[dict[str, Any]]]] = [
    (
        "OpenAI itself",
        [
            event({"role": "assistant", "content": "", "refusal": None}),
            text("Hel"),
            text("lo"),
            event({}, "stop"),
            usage(),
            DONE,
        ],
        [ROLE, chunk(content="Hel"), chunk(content="lo"), STOP, COUNTED],
    ),
    (
        "llama.cpp: content null, timings, usage last",
        [
            event({"role": "assistant", "content": None}),
            text("Hi", timings={"predicted_n": 1}),
            event({}, "stop"),
            event(choices=[], usage=USAGE, timings={"predicted_n": 3}),
            DONE,
        ],
        [ROLE, chunk(content="Hi"), STOP, COUNTED],
    ),
    (
        "llama.cpp: progress before the first token",
        [
            event({"role": "assistant", "content": None}, prompt_progress={"total": 9}),
            event({}, prompt_progress={"total": 9, "processed": 9}),
            event({"role": "assistant", "content": None}),
            text("Hi"),
            event({}, "stop"),
            usage(),
            DONE,
        ],
        [ROLE, chunk(content="Hi"), STOP, COUNTED],
    ),
    (
        "vLLM: the reason on the last delta",
        [event({"role": "assistant"}), text("a"), event({"content": "b"}, "length"), usage(), DONE],
        [ROLE, chunk(content="a"), chunk(content="b"), chunk("length"), COUNTED],
    ),
    (
        "vLLM: usage counted up in every event",
        [
            text("a", usage={"prompt_tokens": 26, "completion_tokens": 1}),
            event({}, "stop", usage={"prompt_tokens": 26, "completion_tokens": 3}),
            DONE,
        ],
        [ROLE, chunk(content="a"), STOP, COUNTED],
    ),
    (
        "usage beside the reason",
        [text("a"), event({}, "stop", usage=USAGE), DONE],
        [ROLE, chunk(content="a"), STOP, COUNTED],
    ),
    (
        "usage before the reason",
        [text("a"), usage(), event({}, "stop"), DONE],
        [ROLE, chunk(content="a"), STOP, COUNTED],
    ),
    (
        "no usage at all",
        [text("a"), event({}, "stop"), DONE],
        [ROLE, chunk(content="a"), STOP],
    ),
    (
        "usage null",
        [text("a", usage=None), event({}, "stop", usage=None), DONE],
        [ROLE, chunk(content="a"), STOP],
    ),
    (
        "error null, as LiteLLM puts it",
        [text("a", error=None), event({}, "stop"), DONE],
        [ROLE, chunk(content="a"), STOP],
    ),
    ("no text", [event({}, "stop"), DONE], [ROLE, STOP]),
    (
        "reasoning in either spelling",
        [
            event({"reasoning_content": "Hm"}),
            event({"reasoning": "."}),
            event({"reasoning_content": "!", "reasoning": "!", "content": "Yes"}),
            event({}, "stop"),
            DONE,
        ],
        [
            ROLE,
            chunk(reasoning_content="Hm", reasoning="Hm"),
            chunk(reasoning_content=".", reasoning="."),
            chunk(reasoning_content="!", reasoning="!"),
            chunk(content="Yes"),
            STOP,
        ],
    ),
    (
        "reasoning that is empty",
        [event({"reasoning_content": "", "reasoning": "", "content": "a"}, "stop"), DONE],
        [ROLE, chunk(content="a"), STOP],
    ),
    (
        "a role in every delta",
        [
            event({"role": "assistant", "content": "a"}),
            event({"role": "assistant", "content": "b"}),
            event({"role": "assistant"}, "stop"),
            DONE,
        ],
        [ROLE, chunk(content="a"), chunk(content="b"), STOP],
    ),
    (
        "delta missing or null",
        [
            b'{"choices":[{"index":0,"finish_reason":null}]}',
            b'{"choices":[{"index":0,"delta":null,"finish_reason":"stop"}]}',
            DONE,
        ],
        [ROLE, STOP],
    ),
    (
        "choices missing, null and empty",
        [b"{}", b'{"choices":null}', b'{"choices":[]}', event({"content": "a"}, "stop"), DONE],
        [ROLE, chunk(content="a"), STOP],
    ),
    (
        "a filter's end",
        [event({"content": "a"}, "content_filter"), DONE],
        [ROLE, chunk(content="a"), chunk("content_filter")],
    ),
    (
        "events after the end",
        [event({"content": "a"}, "stop"), DONE, text("late"), DONE, b"{"],
        [ROLE, chunk(content="a"), STOP],
    ),
]


@pytest.mark.parametrize("at_a_time", [1, 2, 100])
@pytest.mark.parametrize(("_name", "events", "expected"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_events_become_chunks(
    _name: str, events: list[bytes], expected: list[dict[str, Any]], at_a_time: int
) -> None:
    """However many events one block brings."""
    translator = FromOpenAI(FRAME)
    found: list[Any] = []
    for start in range(0, len(events), at_a_time):
        found += translator.feed(events[start : start + at_a_time])
    assert found == expected
    assert translator.finished
    assert translator.error is None
    assert translator.usage == expected[-1]["usage"]


def test_usage_is_not_in_the_stream_unless_asked_for() -> None:
    """The engine is always asked for it: the log tells it."""
    translator = FromOpenAI(Frame(id="i", created=1, model="m", include_usage=False))
    chunks = translator.feed([text("a"), event({}, "stop"), usage(), DONE])
    assert [len(one["choices"]) for one in chunks] == [1, 1, 1]
    assert all("usage" not in one for one in chunks)
    assert translator.usage == USAGE


def test_finish_chunk_waits_for_the_end() -> None:
    """Sent at once it would stand before the text of an engine that finishes early."""
    translator = FromOpenAI(FRAME)
    translator.feed([text("a")])
    assert translator.feed([event({}, "stop"), usage()]) == []
    assert not translator.finished
    found: list[Any] = list(translator.feed([DONE]))
    assert found == [STOP, COUNTED]


def test_progress_alone_opens_no_answer() -> None:
    """Until the first token a failure can still have its true status."""
    translator = FromOpenAI(FRAME)
    opening = event({"role": "assistant", "content": None}, prompt_progress={"total": 9})
    assert translator.feed([opening]) == []


def test_answer_adds_up_to_a_completion() -> None:
    adder = ToCompletion()
    adder.feed(
        FromOpenAI(FRAME).feed(
            [
                event({"reasoning": "Hm."}),
                text("Hel"),
                event({"content": "lo"}, "length"),
                usage(),
                DONE,
            ]
        )
    )
    found = adder.completion()
    assert found["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello",
        "refusal": None,
        "reasoning_content": "Hm.",
        "reasoning": "Hm.",
    }
    assert found["choices"][0]["finish_reason"] == "length"
    assert found["usage"] == USAGE


# (name, the event that fails, its class)
FAULTS: list[tuple[str, bytes, type[TensoriaError]]] = [
    ("the end without a reason", DONE, BackendError),
    ("an end for a reason of its own", event({}, "abort"), BackendError),
    ("an error", b'{"error":{"code":500,"message":"it broke"}}', BackendError),
    ("an error that is a string", b'{"error":"it broke"}', BackendError),
    (
        "an overflow",
        b'{"error":{"code":400,"message":"the request exceeds the available context size",'
        b'"type":"exceed_context_size_error","n_prompt_tokens":600,"n_ctx":512}}',
        ContextLengthExceeded,
    ),
    ("memory", b'{"error":{"message":"unable to allocate buffer"}}', ModelLoadFailed),
    ("no JSON", b"<html>", BackendError),
    ("half of an event", text("a")[:30], BackendError),
    ("no UTF-8", b'{"choices":"\xff"}', BackendError),
    ("nothing", b"", BackendError),
    ("done in small letters", b"[done]", BackendError),
    ("a list", b"[]", BackendError),
    ("a string", b'"text"', BackendError),
    ("null", b"null", BackendError),
    ("choices a string", b'{"choices":"text"}', BackendError),
    ("choices a number", b'{"choices":5}', BackendError),
    ("choices an object", b'{"choices":{"0":{}}}', BackendError),
    ("choice null", b'{"choices":[null]}', BackendError),
    ("choice a string", b'{"choices":["text"]}', BackendError),
    ("delta a string", b'{"choices":[{"delta":"text"}]}', BackendError),
    ("content a list", b'{"choices":[{"delta":{"content":["a"]}}]}', BackendError),
    ("content a number", b'{"choices":[{"delta":{"content":5}}]}', BackendError),
]


@pytest.mark.parametrize(("_name", "fault", "kind"), FAULTS, ids=[row[0] for row in FAULTS])
def test_fault_after_text_gives_the_text_first_and_then_the_error(
    _name: str, fault: bytes, kind: type[TensoriaError]
) -> None:
    translator = FromOpenAI(FRAME)
    found: list[Any] = list(translator.feed([text("a"), fault, text("later")]))
    assert found == [ROLE, chunk(content="a")]
    assert type(translator.error) is kind
    assert not translator.finished
    assert translator.feed([event({}, "stop"), DONE]) == []


def test_reasoning_that_is_no_text_is_left_out() -> None:
    """LiteLLM passes on some models' structured reasoning; the answer itself is sound."""
    translator = FromOpenAI(FRAME)
    found: list[Any] = list(translator.feed([event({"reasoning": {"a": 1}, "content": "x"})]))
    assert found == [ROLE, chunk(content="x")]


def test_stream_that_stops_without_done_is_not_finished() -> None:
    translator = FromOpenAI(FRAME)
    translator.feed([text("a"), event({}, "stop")])
    assert (translator.finished, translator.error) == (False, None)


@pytest.mark.parametrize(
    ("told", "expected"), [("END", {"stop_reason": "END"}), (128009, {}), (None, {})]
)
def test_the_stop_string_that_vllm_tells_stands_beside_the_finish_reason(
    told: object, expected: dict[str, str]
) -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": told}
    chunks = FromOpenAI(FRAME).feed([text("a"), event(choices=[choice]), usage(), DONE])

    finish = STOP["choices"][0] | expected
    assert chunks[-2]["choices"] == [finish]
