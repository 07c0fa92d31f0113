"""Tools and chunks that the tests of tool stages share."""

from collections.abc import Iterable
from typing import Any

from tensoria.translate.chunks import Frame, to_chunk, to_last_chunks
from tensoria.wire.openai import Chunk, FinishReason, Tool, Usage

FRAME = Frame(id="chatcmpl-1", created=7, model="m")
USAGE: Usage = {"prompt_tokens": 26, "completion_tokens": 3, "total_tokens": 29}

WEATHER: Tool = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
TIME: Tool = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}
TOOLS = [WEATHER, TIME]


def said(*texts: str, reason: FinishReason = "stop") -> list[Chunk]:
    """Return a whole answer: role, a chunk a text, finish, usage."""
    first = to_chunk(FRAME, {"role": "assistant", "content": ""})
    pieces = [to_chunk(FRAME, {"content": text}) for text in texts]
    return [first, *pieces, *to_last_chunks(FRAME, reason, USAGE)]


def cuts(text: str) -> Iterable[list[str]]:
    """Cut a text at each of its positions, into two and into single characters."""
    yield list(text)
    for at in range(1, len(text)):
        yield [text[:at], text[at:]]


def text_of(chunks: Iterable[Chunk]) -> str:
    return "".join(delta.get("content", "") for delta in deltas_of(chunks))


def calls_of(chunks: Iterable[Chunk]) -> list[tuple[str, str]]:
    """Return names and arguments of calls that came whole, and check their ids and indexes."""
    calls = [call for delta in deltas_of(chunks) for call in delta.get("tool_calls", [])]
    assert [call["index"] for call in calls] == list(range(len(calls)))
    assert len({call["id"] for call in calls}) == len(calls)
    assert all(call["id"].startswith("call_") for call in calls)
    return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]


def reason_of(chunks: Iterable[Chunk]) -> str:
    """Return the one finish reason."""
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    (reason,) = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    return reason


def deltas_of(chunks: Iterable[Chunk]) -> list[Any]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
