"""Whatever an engine sends, however it is cut: chunks, and one end; stages keep nothing back."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tensoria.backends.framing import EventDecoder, LineDecoder
from tensoria.translate.chat import ToChunks
from tensoria.translate.chat_logprobs import FromOpenAIWithLogprobs, ToChunksWithLogprobs
from tensoria.translate.chat_passthrough import FromOpenAI
from tensoria.translate.chunks import to_chunk
from tensoria.translate.completions import ToTextChunks
from tensoria.translate.completions_passthrough import FromOpenAIText
from tensoria.translate.forced_call import ForcedCall
from tensoria.translate.one_call import OneCall
from tensoria.translate.structured import FormCheck
from tensoria.translate.tool_rescue import RescueCalls
from tests.translate.strategies import JSON, NAME, TEXT
from tests.translate.tooling import FRAME, TOOLS, calls_of, reason_of, said, text_of


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return what engines say, and now and then anything."""
    return st.one_of(usual, usual, usual, JSON)


CALL = st.fixed_dictionaries(
    {},
    optional={
        "id": NAME | JSON,
        "index": st.integers(-1, 2) | JSON,
        "function": JSON
        | st.fixed_dictionaries(
            {}, optional={"name": NAME | JSON, "arguments": JSON | st.just("{")}
        ),
    },
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant") | JSON,
        "content": mostly(TEXT),
        "thinking": mostly(TEXT),
        "reasoning_content": mostly(TEXT),
        "tool_calls": mostly(st.lists(CALL, max_size=2)),
    },
)
TOKEN = st.fixed_dictionaries(
    {},
    optional={
        "token": TEXT | JSON,
        "logprob": st.floats(-9, 0) | JSON,
        "bytes": JSON,
        "top_logprobs": JSON,
    },
)
COUNT = st.integers(-1, 2**63) | JSON
LINE = st.fixed_dictionaries(
    {"message": MESSAGE},
    optional={
        "done": st.booleans() | JSON,
        "done_reason": mostly(st.sampled_from(["stop", "length", "load"])),
        "eval_count": COUNT,
        "eval_duration": COUNT,
        "prompt_eval_count": COUNT,
        "load_duration": COUNT,
        "logprobs": st.lists(TOKEN, max_size=2) | JSON,
        "response": mostly(TEXT),
    },
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 1),
        "delta": mostly(MESSAGE),
        "text": mostly(TEXT),
        "finish_reason": mostly(st.sampled_from(["stop", "length", "tool_calls", "abort"])),
        "logprobs": st.fixed_dictionaries({"content": st.lists(TOKEN, max_size=2)}) | JSON,
    },
)
EVENT = st.fixed_dictionaries(
    {"choices": mostly(st.lists(CHOICE, max_size=2))},
    optional={
        "usage": JSON | st.fixed_dictionaries({"prompt_tokens": COUNT, "completion_tokens": COUNT}),
        "timings": JSON | st.fixed_dictionaries({"prompt_ms": COUNT, "prompt_n": COUNT}),
        "prompt_progress": JSON,
    },
)
FAULT = st.builds(lambda told: {"error": told}, JSON | MESSAGE)
STOP = {"choices": [{"delta": {"content": "x"}, "text": "x", "finish_reason": "stop"}]}
END = {"message": {"content": ""}, "response": "", "done": True, "done_reason": "stop"}


def lines_of(values: list[Any]) -> bytes:
    return b"".join(orjson.dumps(value) + b"\n" for value in values)


def events_of(values: list[Any]) -> bytes:
    return b"".join(b"data: " + orjson.dumps(value) + b"\n\n" for value in values)


LAST = st.builds(lambda message: {**END, "message": message}, MESSAGE)
LINES = st.lists(st.one_of(LINE, LINE, LINE, LAST, FAULT, JSON, st.just(END)), max_size=5).map(
    lines_of
)
EVENTS = st.tuples(
    st.lists(st.one_of(EVENT, EVENT, st.just(STOP), FAULT, JSON), max_size=5).map(events_of),
    st.sampled_from([b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"", b"data: {", b"\xff\n"]),
).map(b"".join)

Outcome = tuple[list[Any], bool, str | None, Any]


def outcome(data: bytes, cuts: list[int], decoder: Any, translator: Any) -> Outcome:
    """Feed an answer cut at these places, as `EngineStream` does; after an end nothing is fed."""
    chunks: list[Any] = []
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        chunks += translator.feed(decoder.feed(data[start:end]))
    chunks += translator.feed(decoder.flush())
    error = translator.error and f"{translator.error.code} {translator.error.message}"
    return chunks, translator.finished, error, translator.usage


def check(data: bytes, cuts: list[int], decoder: Any, translators: list[Callable[[], Any]]) -> None:
    for translator in translators:
        whole = outcome(data, [], decoder(1 << 20), translator())
        assert outcome(data, cuts, decoder(1 << 20), translator()) == whole
        assert outcome(data, list(range(len(data))), decoder(1 << 20), translator()) == whole
        chunks, finished, error, _ = whole
        reasons = [
            choice["finish_reason"]
            for chunk in chunks
            for choice in chunk["choices"]
            if choice["finish_reason"]
        ]
        assert not (finished and error)
        assert len(reasons) == finished
        orjson.dumps(chunks)


@given(LINES, st.lists(st.integers(0, 999), max_size=4))
def test_lines_of_any_kind_cut_anywhere_end_in_one_way(data: bytes, cuts: list[int]) -> None:
    check(
        data,
        cuts,
        LineDecoder,
        [
            lambda: ToChunks(FRAME),
            lambda: ToChunksWithLogprobs(FRAME),
            lambda: ToTextChunks(FRAME, index=0, echo="x"),
        ],
    )


@given(EVENTS, st.lists(st.integers(0, 999), max_size=4))
def test_events_of_any_kind_cut_anywhere_end_in_one_way(data: bytes, cuts: list[int]) -> None:
    check(
        data,
        cuts,
        EventDecoder,
        [
            lambda: FromOpenAI(FRAME),
            lambda: FromOpenAIWithLogprobs(FRAME, most=2),
            lambda: FromOpenAIText(FRAME),
        ],
    )


@given(st.binary(max_size=60), st.lists(st.integers(0, 999), max_size=4))
def test_bytes_of_any_kind_never_raise(data: bytes, cuts: list[int]) -> None:
    check(data, cuts, LineDecoder, [lambda: ToChunks(FRAME)])
    check(b"data:" + data, cuts, EventDecoder, [lambda: FromOpenAI(FRAME)])


# Pieces of what models write when they call as text, in any order, most of it no call.
PIECES = st.lists(
    TEXT
    | st.sampled_from(
        [
            "<tool_call>",
            "</tool_call>",
            "[TOOL_CALLS]",
            "<function=get_time>",
            "<function=",
            "</function>",
            "<parameter=city>",
            "</parameter>",
            "```json\n",
            "```",
            "[",
            "]",
            '{"name": "get_time", "arguments": {}}',
            '{"name": "get_weather", "arguments": {"city": "Oslo"}}',
            '{"name": "get_weather", "arguments": {"city":',
            '"arguments"',
            " \n",
        ]
    ),
    max_size=6,
)


def rescued(texts: list[str]) -> tuple[str, list[tuple[str, str]], str, dict[str, str]]:
    adjusted: dict[str, str] = {}
    stage = RescueCalls(TOOLS, adjusted)
    out = [chunk for chunk in said(*texts) for chunk in stage.feed([chunk])]
    assert out[-1] == said()[-1], "the chunk of the usage comes last"
    return text_of(out), calls_of(out), reason_of(out), adjusted


@given(PIECES)
def test_text_that_is_no_call_comes_out_as_it_went_in(pieces: list[str]) -> None:
    texts = [piece for piece in pieces if piece]
    text, calls, reason, adjusted = rescued(texts)
    if calls:
        assert (reason, adjusted) == ("tool_calls", {"tool_calls": "rescued"})
        assert "".join(texts).startswith(text)
    else:
        assert (text, reason, adjusted) == ("".join(texts), "stop", {})


@given(PIECES)
def test_call_is_found_wherever_its_text_is_cut(pieces: list[str]) -> None:
    whole = "".join(pieces)
    assert rescued(list(whole)) == rescued([whole] if whole else [])


FORMS: list[Any] = [
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "integer"}}},
]
ANSWER = st.lists(TEXT | st.sampled_from(["{", "}", "1", "{}", '{"a":']), max_size=5)
REASON = st.sampled_from(["stop", "length", "tool_calls"])


@given(ANSWER, REASON, st.sampled_from(FORMS), st.booleans(), st.booleans())
def test_check_of_a_form_keeps_nothing_back_at_the_end(
    texts: list[str], reason: Any, form: Any, holds: bool, at_once: bool
) -> None:
    chunks = said(*texts, reason=reason)
    stage = FormCheck(form, holds=holds)
    blocks = [chunks] if at_once else [[chunk] for chunk in chunks]
    out: list[Any] = []
    for block in blocks:
        out += stage.feed(block)
        if stage.error:
            break
    if stage.error:
        assert reason == "stop"
        assert out == ([] if holds else chunks[: len(texts) + 1])
    else:
        assert out == chunks


@given(ANSWER, REASON)
def test_forced_call_ends_in_an_error_or_in_its_finish_chunk(texts: list[str], reason: Any) -> None:
    stage = ForcedCall(TOOLS)
    out: list[Any] = []
    for chunk in said(*texts, reason=reason):
        out += stage.feed([chunk])
        if stage.error:
            return
    assert reason_of(out) == ("tool_calls" if calls_of(out) and reason == "stop" else reason)
    assert out[0]["choices"][0]["delta"].get("role") == "assistant"


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), max_size=5))
def test_one_call_passes_and_so_does_all_else(indexes: list[list[int]]) -> None:
    first, *rest = said("a")
    calls = [
        to_chunk(FRAME, {"tool_calls": [{"index": index, "function": {}} for index in some]})
        for some in indexes
    ]
    out = [chunk for block in ([first, *calls], rest) for chunk in OneCall().feed(block)]
    found = [
        call["index"]
        for chunk in out
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    assert found == [0 for some in indexes for index in some if index == 0]
    assert text_of(out) == "a"
    assert out[-2:] == rest[-2:]
