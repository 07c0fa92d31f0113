"""The stage that rescues calls: what it holds back, when it lets go, what it tells."""

import time

import pytest

from tensoria.translate.chunks import to_chunk
from tensoria.translate.tool_rescue import RescueCalls
from tensoria.wire.openai import Chunk, FinishReason, Logprobs
from tests.translate.tooling import FRAME, TOOLS, calls_of, deltas_of, reason_of, said, text_of

CALL = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
LOGPROBS: Logprobs = {
    "content": [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}],
    "refusal": None,
}


def stage(adjusted: dict[str, str] | None = None) -> RescueCalls:
    return RescueCalls(TOOLS, {} if adjusted is None else adjusted)


def out_after(*texts: str) -> list[str]:
    """Return what has come out after each piece."""
    rescue = stage()
    return [text_of(rescue.feed([to_chunk(FRAME, {"content": text})])) for text in texts]


def test_text_streams_up_to_a_mark() -> None:
    assert out_after("Let ", "me see <to", "ol_call>", '{"na') == ["Let ", "me see ", "", ""]


def test_text_streams_on_as_soon_as_it_is_no_call() -> None:
    assert out_after("a <to", "ast", " b") == ["a ", "<toast", " b"]
    assert out_after('{"', "answer", '": 1}') == ["", '{"answer', '": 1}']
    assert out_after('<tool_call>{"name": "get_', 'x"', "}") == [
        "",
        '<tool_call>{"name": "get_x"',
        "}",
    ]
    assert out_after(CALL, " ", "is", " it") == ["", "", f"{CALL} is", " it"]


def test_text_without_a_mark_passes_in_its_own_chunks() -> None:
    answer = said("Hello <b>", " a[0] < b ", "you")

    assert stage().feed(answer) == answer


def test_what_was_held_comes_out_in_its_own_chunks() -> None:
    answer = said("{", '"a"', ": 1}")

    assert stage().feed(answer) == answer


def test_held_text_comes_out_before_the_finish_chunk() -> None:
    answer = said("see ", "<tool_call>", "{")

    assert stage().feed(answer) == answer


def test_rescued_call_stands_before_the_finish_chunk() -> None:
    chunks = stage().feed(said("Hm. <tool_call>", CALL))

    assert deltas_of(chunks) == [
        {"role": "assistant", "content": ""},
        {"content": "Hm. "},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": chunks[2]["choices"][0]["delta"]["tool_calls"][0]["id"],
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
                }
            ]
        },
        {},
    ]
    assert chunks[-1]["choices"] == []
    assert {(chunk["id"], chunk["created"]) for chunk in chunks} == {("chatcmpl-1", 7)}


def test_rescue_is_noted() -> None:
    adjusted: dict[str, str] = {}
    stage(adjusted).feed(said(CALL))

    assert adjusted == {"tool_calls": "rescued"}


def test_text_is_not_noted() -> None:
    adjusted: dict[str, str] = {}
    stage(adjusted).feed(said("Hello <tool_call>"))

    assert adjusted == {}


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_other_reasons_stay(reason: FinishReason) -> None:
    chunks = stage().feed(said(CALL, reason=reason))

    assert calls_of(chunks) == [("get_weather", '{"city":"Oslo"}')]
    assert reason_of(chunks) == reason


def test_call_that_was_cut_is_text() -> None:
    chunks = stage().feed(said(CALL[:30], reason="length"))

    assert (text_of(chunks), calls_of(chunks), reason_of(chunks)) == (CALL[:30], [], "length")


def test_native_call_passes_untouched_and_ends_the_rescue() -> None:
    role, *texts, finish, usage = said("<tool_call>", CALL, reason="tool_calls")
    native = to_chunk(
        FRAME,
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_x",
                    "type": "function",
                    "function": {"name": "get_time", "arguments": "{}"},
                }
            ]
        },
    )
    answer = [role, *texts, native, *texts, finish, usage]

    assert stage().feed(answer) == answer


def test_native_call_alone_passes_untouched() -> None:
    native = to_chunk(FRAME, {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]})
    role, finish, usage = said(reason="tool_calls")
    answer = [role, to_chunk(FRAME, {"content": "Hm."}), native, finish, usage]

    assert stage().feed(answer) == answer


def test_thoughts_pass_while_text_is_held() -> None:
    rescue = stage()
    thought: Chunk = to_chunk(FRAME, {"reasoning_content": "<tool_call>", "reasoning": "x"})

    assert rescue.feed([thought]) == [thought]
    assert rescue.feed([to_chunk(FRAME, {"content": "<tool"})]) == []
    assert rescue.feed([thought]) == [thought]


def test_log_probabilities_stay_with_the_text_that_is_let_go() -> None:
    held = to_chunk(FRAME, {"content": "a <to"}, logprobs=LOGPROBS)
    chunks = stage().feed([held, to_chunk(FRAME, {"content": "!"})])

    assert [chunk["choices"][0]["logprobs"] for chunk in chunks] == [LOGPROBS, None, None]
    assert text_of(chunks) == "a <to!"
    assert held["choices"][0]["delta"] == {"content": "a <to"}


@pytest.mark.parametrize(
    "text",
    [
        "word " * 20_000,
        "<" * 100_000,
        "<tool_call>" * 9_000,
        '<tool_call>{"name": "get_weather", "arguments": {"city": "' + "<tool_call>{[" * 8_000,
        "[TOOL_CALLS]get_w" * 6_000,
        "{" * 100_000,
    ],
    ids=["plain", "less-than", "marks", "marks in a string", "beginnings", "braces"],
)
@pytest.mark.parametrize("size", [4, 1_000, 1_000_000], ids=["tokens", "lines", "at once"])
def test_long_text_costs_little(text: str, size: int) -> None:
    """Quadratic work on 100 kB would take minutes in tokens of four letters."""
    rescue = stage()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    answer = said(*pieces)
    before = time.process_time()
    chunks = [out for chunk in answer for out in rescue.feed([chunk])]
    seconds = time.process_time() - before

    assert text_of(chunks) == text
    assert seconds < 5
