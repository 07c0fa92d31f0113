"""`parallel_tool_calls: false` keeps the first call."""

from tensoria.translate.chunks import to_chunk
from tensoria.translate.one_call import OneCall
from tensoria.wire.openai import ToolCallDelta
from tests.translate.tooling import FRAME, deltas_of, reason_of, said


def call(index: int, arguments: str) -> ToolCallDelta:
    return {"index": index, "function": {"arguments": arguments}}


def test_later_calls_are_dropped_and_the_reason_stays() -> None:
    role, finish, usage = said(reason="tool_calls")
    first = to_chunk(FRAME, {"tool_calls": [call(0, "{")]})
    both = to_chunk(FRAME, {"tool_calls": [call(0, "}"), call(1, "{}")]})
    third = to_chunk(FRAME, {"tool_calls": [call(2, "{}")]})
    chunks = OneCall().feed([role, first, both, third, finish, usage])

    assert deltas_of(chunks) == [
        {"role": "assistant", "content": ""},
        {"tool_calls": [call(0, "{")]},
        {"tool_calls": [call(0, "}")]},
        {},
    ]
    assert reason_of(chunks) == "tool_calls"
    assert chunks[-1] == usage
    assert len(deltas_of([both])[0]["tool_calls"]) == 2


def test_text_passes() -> None:
    answer = said("Hello")

    assert OneCall().feed(answer) == answer
