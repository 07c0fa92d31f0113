"""Chunks of the house to Anthropic's events, and to the message that they add up to.

Source: docs.anthropic.com/en/docs/build-with-claude/streaming

| state  | after                                        | what follows                             |
| ------ | -------------------------------------------- | ---------------------------------------- |
| silent | the start                                    | message_start, before anything else      |
| open   | a chunk of text, of a thought, or of a call  | deltas of this block, or its stop        |
| over   | `end`                                        | nothing: message_stop has been said      |

One block is open at a time: what belongs to another one closes it.
"""

from collections.abc import Iterable
from typing import Any, cast

from tensoria.errors import BackendError
from tensoria.translate.message_content import CallContent, Content, TextContent, ThoughtContent
from tensoria.wire.messages import (
    AnthropicMessage,
    Event,
    MessageUsage,
    StopReason,
    Thoughts,
)
from tensoria.wire.openai import Chunk, Delta, FinishReason, ToolCallDelta, Usage

# Which stop string ended an answer most engines do not tell: then it is `end_turn`.
_REASONS: dict[FinishReason, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class ToMessage:
    """The events of one answer, and the message; both are built here, so that they agree."""

    def __init__(self, thoughts: Thoughts = "shown") -> None:
        self._thoughts = thoughts
        self._message: AnthropicMessage | None = None
        self._contents: list[Content] = []
        self._open: Content | None = None
        # The call whose block is open, by its index in the chunks; all before it are closed.
        self._call = -1
        self._reason: FinishReason | None = None
        self._stop: str | None = None
        self._usage: Usage | None = None

    def feed(self, chunks: Iterable[Chunk]) -> list[Event]:
        """Return the events of some chunks; raises BackendError for calls that are mixed up."""
        events: list[Event] = []
        for chunk in chunks:
            if self._message is None:
                events.append(self._begin(chunk))
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk["choices"]:
                self._add(choice["delta"], events)
                self._reason = choice["finish_reason"] or self._reason
                self._stop = choice.get("stop_reason", self._stop)
        return events

    def end(self) -> list[Event]:
        """Return the last events; raises BackendError when the answer has no reason for its end."""
        if self._message is None or self._reason is None:
            raise BackendError("The engine ended the answer without a reason.")
        events: list[Event] = []
        self._close(events)
        message = self._message
        message["content"] = [block for each in self._contents if (block := each.block())]
        message["stop_reason"] = _REASONS[self._reason]
        if self._stop is not None and self._reason == "stop":
            message["stop_reason"], message["stop_sequence"] = "stop_sequence", self._stop
        message["usage"] = to_message_usage(self._usage)
        events.append(
            {
                "type": "message_delta",
                "delta": {
                    "stop_reason": message["stop_reason"],
                    "stop_sequence": message["stop_sequence"],
                },
                "usage": message["usage"],
            }
        )
        events.append({"type": "message_stop"})
        return events

    def message(self) -> AnthropicMessage:
        """Return the whole message; `end` was called before."""
        assert self._message is not None  # noqa: S101  # says it to mypy
        return self._message

    def _begin(self, chunk: Chunk) -> Event:
        self._message = {
            "id": chunk["id"],
            "type": "message",
            "role": "assistant",
            "model": chunk["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": to_message_usage(None),
        }
        # As it is now: the end changes it.
        return {"type": "message_start", "message": {**self._message}}

    def _add(self, delta: Delta, events: list[Event]) -> None:
        if text := delta.get("content"):
            self._in(TextContent, events).add(text, events)
        elif thought := delta.get("reasoning_content"):
            if self._thoughts != "hidden":
                self._in(ThoughtContent, events).add(thought, events)
        elif "tool_calls" in delta:
            for call in delta["tool_calls"]:
                self._piece(call, events)

    def _in(self, kind: type[TextContent] | type[ThoughtContent], events: list[Event]) -> Any:
        """Return the open block if it is of this kind, else open one."""
        if not isinstance(self._open, kind):
            index = self._close(events)
            omitted = self._thoughts == "omitted"
            self._start(
                ThoughtContent(index, omitted) if kind is ThoughtContent else TextContent(index),
                events,
            )
        return self._open

    def _piece(self, call: ToolCallDelta, events: list[Event]) -> None:
        index, arguments = call["index"], call["function"].get("arguments", "")
        if index > self._call:
            self._call = index
            name = call["function"].get("name", "")
            self._start(CallContent(self._close(events), call.get("id", ""), name), events)
        elif not (index == self._call and isinstance(self._open, CallContent)):
            # A call without arguments gets its `{}` when the answer is over: that says nothing.
            if arguments == "{}":
                return
            raise BackendError("The engine mixed the pieces of its tool calls.")
        cast("CallContent", self._open).add(arguments, events)

    def _start(self, content: Content, events: list[Event]) -> None:
        self._open = content
        self._contents.append(content)
        events.append(content.start())

    def _close(self, events: list[Event]) -> int:
        """Close the open block, if there is one; return the index of the next one."""
        if self._open is not None:
            events.extend(self._open.stop())
            self._open = None
        return len(self._contents)


class Collected:
    """Chunks to the whole message: what the events add up to."""

    def __init__(self, message: ToMessage) -> None:
        self._message = message

    def feed(self, chunks: list[Chunk]) -> None:
        """Add chunks in their order."""
        self._message.feed(chunks)

    def completion(self) -> AnthropicMessage:
        """Return the message, or raise BackendError when a finish chunk is missing."""
        self._message.end()
        return self._message.message()


def to_message_usage(usage: Usage | None) -> MessageUsage:
    """Return the counts; Anthropic counts what came from the cache beside the rest of the prompt.

    None is what is not known: zeros, because every message has counts.
    """
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    counts: MessageUsage = {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
    }
    if "prompt_tokens_details" in usage:
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        counts["input_tokens"] = max(0, usage["prompt_tokens"] - cached)
        counts["cache_creation_input_tokens"] = 0
        counts["cache_read_input_tokens"] = cached
    return counts
