"""Attempts at one answer: which are made, what is held back, and what is closed."""

from typing import Any

import pytest

from tensoria.backends.structured import StructuredStream
from tensoria.errors import BackendUnavailable, StructuredOutputInvalid, TensoriaError
from tensoria.translate.chunks import Frame, to_chunk, to_last_chunks
from tensoria.wire.openai import Chunk, Usage

FRAME = Frame(id="chatcmpl-1", created=7, model="m")
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY}}
TOOLS = [{"type": "function", "function": {"name": "f"}}]
REQUEST: Any = {"messages": [{"role": "user", "content": "hi"}], "response_format": SCHEMA}
WITH_TOOLS: Any = {**REQUEST, "tools": TOOLS, "tool_choice": "auto"}
CALL = to_chunk(FRAME, {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f"}}]})


def counted(prompt: int, completion: int) -> Usage:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def text(words: str) -> Chunk:
    return to_chunk(FRAME, {"content": words})


class Answer:
    """A stream with one chunk a block; its counts are known at its end."""

    def __init__(self, *chunks: Chunk, reason: Any = "stop") -> None:
        self.model = "m:latest"
        self.adjusted = {"max_tokens": "8"}
        self.timings = {"decode_ms": 2.5}
        self.closed = 0
        self._blocks = [[chunk] for chunk in chunks]
        self._blocks.append(to_last_chunks(FRAME, reason, counted(3, 2)))

    @property
    def finished(self) -> bool:
        return not self._blocks

    @property
    def usage(self) -> Usage | None:
        return counted(3, 2) if self.finished else None

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> list[Chunk]:
        if not self._blocks:
            raise StopIteration
        return self._blocks.pop(0)

    def close(self) -> None:
        self.closed += 1


class Engine:
    """Answers in turn, and keeps what it was asked for."""

    def __init__(self, *answers: Answer | TensoriaError) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def open(self, request: Any) -> Any:
        self.asked.append({name: value for name, value in request.items() if name != "messages"})
        answer = self.answers[len(self.asked) - 1]
        if isinstance(answer, TensoriaError):
            raise answer
        return answer


def good() -> Answer:
    return Answer(text('{"city":'), text('"Porto"}'))


def bad() -> Answer:
    return Answer(text("Porto."))


def said(blocks: list[list[Chunk]]) -> str:
    return "".join(
        choice["delta"].get("content", "")
        for block in blocks
        for chunk in block
        for choice in chunk["choices"]
    )


def test_answer_with_tools_that_misses_is_made_again_held_to_the_schema() -> None:
    engine = Engine(bad(), good())
    blocks = list(StructuredStream(engine.open, WITH_TOOLS, retry=False))
    assert engine.asked == [
        {"tools": TOOLS, "tool_choice": "auto"},
        {"response_format": SCHEMA},
    ]
    assert said(blocks) == '{"city":"Porto"}'
    assert blocks[-1][-1]["usage"] == counted(6, 4)


def test_answer_made_again_streams_as_it_comes() -> None:
    stream = StructuredStream(Engine(bad(), good()).open, WITH_TOOLS, retry=False)
    assert [next(stream) for _ in range(3)] == [[], [], [text('{"city":')]]


def test_answer_with_tools_that_fits_is_taken() -> None:
    engine = Engine(good())
    blocks = list(StructuredStream(engine.open, WITH_TOOLS, retry=False))
    assert said(blocks) == '{"city":"Porto"}'
    assert blocks[-1][-1]["usage"] == counted(3, 2)
    assert len(engine.asked) == 1


def test_call_wins_over_the_schema() -> None:
    engine = Engine(Answer(text("Let me see."), CALL, reason="tool_calls"))
    stream = StructuredStream(engine.open, WITH_TOOLS, retry=True)
    assert next(stream) == []
    assert next(stream) == [text("Let me see."), CALL]
    assert next(stream)[0]["choices"][0]["finish_reason"] == "tool_calls"
    assert stream.finished
    assert len(engine.asked) == 1


def test_second_answer_that_misses_too_is_an_error() -> None:
    engine = Engine(bad(), bad())
    stream = StructuredStream(engine.open, WITH_TOOLS, retry=False)
    with pytest.raises(StructuredOutputInvalid):
        list(stream)
    assert not stream.finished
    assert stream.usage == counted(6, 4)


def test_retry_with_tools_makes_three_attempts() -> None:
    engine = Engine(bad(), bad(), good())
    stream = StructuredStream(engine.open, WITH_TOOLS, retry=True)
    assert said(list(stream)) == '{"city":"Porto"}'
    assert len(engine.asked) == 3
    assert stream.usage == counted(9, 6)


def test_attempt_that_missed_is_closed_before_the_next_is_opened() -> None:
    """An engine may have one place only, and the first attempt must not hold it."""
    first, second = bad(), good()
    engine = Engine(first, second)
    closed: list[int] = []

    def open_one(request: Any) -> Any:
        closed.append(first.closed)
        return engine.open(request)

    stream = StructuredStream(open_one, REQUEST, retry=True)
    list(stream)
    stream.close()
    assert closed == [0, 1]
    assert (first.closed, second.closed) == (1, 1)


def test_second_attempt_that_cannot_be_opened_is_counted_once() -> None:
    engine = Engine(bad(), BackendUnavailable("gone"))
    stream = StructuredStream(engine.open, REQUEST, retry=True)
    with pytest.raises(BackendUnavailable):
        list(stream)
    assert stream.usage == counted(3, 2)


def test_stream_tells_the_model_and_what_was_adjusted() -> None:
    stream = StructuredStream(Engine(good()).open, REQUEST, retry=False)
    assert iter(stream) is stream
    assert (stream.model, stream.adjusted) == ("m:latest", {"max_tokens": "8"})
    assert stream.usage is None
    assert stream.timings == {"decode_ms": 2.5}
