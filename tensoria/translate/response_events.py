"""Chunks of a chat to the events of a response, and to the object that these add up to.

Source: OpenAI's ResponseStreamEvent and Response.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tensoria.errors import BackendError, RateLimited, RequestError, TensoriaError
from tensoria.translate.response_outputs import Call, ItemStatus, Numbers, Text, Thought
from tensoria.wire.openai import Chunk, Delta, TokenLogprob, ToolCallDelta, Usage
from tensoria.wire.responses import Event, Item, Response, ResponseUsage

# Ids of items are made from that of their answer: its first digits, and their place.
_ID_DIGITS, _PLACE_DIGITS = 24, 4
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(frozen=True, slots=True)
class ResponseFrame:
    """What is known of a response before its answer; `now` gives Unix seconds.

    `begun` is the object as it is told first (`translate.responses.to_response`). `summary` says
    that thoughts go out as a summary, `sealed` that they have `encrypted_content` too.
    """

    begun: Response
    now: Callable[[], int]
    summary: bool = False
    sealed: bool = False


class ToEvents:
    """The events of one response, from its first chunk to its one terminal event.

    | state    | after            | `response` is                                      |
    | -------- | ---------------- | -------------------------------------------------- |
    | silent   | its creation     | as it began                                        |
    | speaking | the first `feed` | as it began, with the items that are closed        |
    | over     | `end`, `fail`    | completed or incomplete, or failed                 |

    What the engine told (model, usage) is in `response` as soon as it is known.
    """

    def __init__(self, frame: ResponseFrame) -> None:
        self._frame = frame
        self._numbers = Numbers()
        self._spoken = False
        self._count = 0
        # At most one text or thought, or calls; by their index among the calls.
        self._open: dict[int | None, Text | Thought | Call] = {}
        self._done: dict[int, Item] = {}
        self._places: dict[int | None, int] = {}
        self._finish_reason: str | None = None
        self.response: Response = {**frame.begun, "output": []}

    def began(self) -> Response:
        """Return the object as the first event has it."""
        return {**self.response, "output": []}

    def feed(self, chunks: Iterable[Chunk]) -> list[Event]:
        """Return what some chunks say; raises BackendError for calls that cannot be put together.

        The first of them also say that the response began.
        """
        events: list[Event] = []
        for chunk in chunks:
            if not self._spoken:
                self.response["model"] = chunk["model"]
                events += self._begin()
            if usage := chunk.get("usage"):
                self.response["usage"] = to_usage(usage)
            for choice in chunk["choices"]:
                tokens = choice["logprobs"]["content"] if choice["logprobs"] else []
                self._take(choice["delta"], tokens, events)
                self._finish_reason = choice["finish_reason"] or self._finish_reason
        return events

    def end(self) -> list[Event]:
        """Close what is open and return the terminal event last.

        Raises BackendError when the engine gave no reason for its end.
        """
        if self._finish_reason is None:
            raise BackendError("The engine ended the answer without a reason.")
        reason = _INCOMPLETE.get(self._finish_reason)
        events = self._close_all("incomplete" if reason else "completed")
        if reason is None and all(item["type"] == "reasoning" for item in self._done.values()):
            # Clients take the last message for the answer, also where it says nothing.
            self._begin_text(events)
            events += self._close_all("completed")
        self.response["output"] = self._items()
        if reason:
            self.response["status"] = "incomplete"
            self.response["incomplete_details"] = {"reason": reason}
        else:
            self.response["status"] = "completed"
            self.response["completed_at"] = self._frame.now()
        name = self.response["status"]
        return [*events, self._numbers.event(name, response=self.response)]

    def fail(self, error: TensoriaError) -> list[Event]:
        """Close what is open as incomplete and return response.failed last."""
        events = [] if self._spoken else self._begin()
        events += self._close_all("incomplete")
        self.response["output"] = self._items()
        self.response["status"] = "failed"
        # It may have been over, and fail while it was kept.
        self.response["completed_at"] = self.response["incomplete_details"] = None
        self.response["error"] = {"code": to_code(error), "message": error.message}
        return [*events, self._numbers.event("failed", response=self.response)]

    def _begin(self) -> list[Event]:
        self._spoken = True
        return [
            self._numbers.event("created", response=self.began()),
            self._numbers.event("in_progress", response=self.began()),
        ]

    def _take(self, delta: Delta, tokens: list[TokenLogprob], events: list[Event]) -> None:
        if "content" in delta:
            if delta["content"] or tokens:
                self._say(delta["content"], tokens, events)
        elif "reasoning_content" in delta:
            self._think(delta["reasoning_content"], events)
        elif "tool_calls" in delta:
            for piece in delta["tool_calls"]:
                self._call(piece, events)

    def _say(self, text: str, tokens: list[TokenLogprob], events: list[Event]) -> None:
        written = self._open.get(None)
        if not isinstance(written, Text):
            written = self._begin_text(events)
        events.append(written.add(text, tokens))

    def _begin_text(self, events: list[Event]) -> Text:
        events += self._close_finished()
        text = Text(self._numbers, *self._place(None, "msg_"))
        self._open[None] = text
        events += text.open()
        return text

    def _think(self, thought: str, events: list[Event]) -> None:
        written = self._open.get(None)
        if not isinstance(written, Thought):
            events += self._close_finished()
            frame = self._frame
            written = Thought(
                self._numbers,
                *self._place(None, "rs_"),
                summary=frame.summary,
                sealed=frame.sealed,
            )
            self._open[None] = written
            events += written.open()
        events.append(written.add(thought))

    def _call(self, piece: ToolCallDelta, events: list[Event]) -> None:
        index, arguments = piece["index"], piece["function"].get("arguments", "")
        call = self._open.get(index)
        if call is None:
            call = self._begin_call(piece, events)
        if arguments:
            events.append(call.add(arguments))

    def _begin_call(self, piece: ToolCallDelta, events: list[Event]) -> Call:
        index = piece["index"]
        if index in self._places:
            raise BackendError("The engine went on with a call that was over.")
        if None in self._open:
            events += self._close(None)
        call = Call(
            self._numbers,
            *self._place(index, "fc_"),
            piece.get("id", ""),
            piece["function"].get("name", ""),
        )
        self._open[index] = call
        events += call.open()
        return call

    def _place(self, key: int | None, prefix: str) -> tuple[str, int]:
        """Return the id of the next item, and its place among the items."""
        index = self._places[key] = self._count
        self._count += 1
        digits = self.response["id"].partition("_")[2][:_ID_DIGITS]
        return f"{prefix}{digits}{index:0{_PLACE_DIGITS}x}", index

    def _close_finished(self) -> list[Event]:
        """Close what is open, because something else begins.

        A call without arguments stays open: the last chunks may bring them.
        """
        over = [
            key
            for key, written in self._open.items()
            if not (isinstance(written, Call) and written.bare)
        ]
        return [event for key in over for event in self._close(key)]

    def _close_all(self, status: ItemStatus) -> list[Event]:
        """Close what is open; of an answer that was cut off, that is what was written last."""
        *before, last = [*self._open] or [None]
        events = [event for key in before for event in self._close(key)]
        return events + (self._close(last, status) if last in self._open else [])

    def _close(self, key: int | None, status: ItemStatus = "completed") -> list[Event]:
        item, events = self._open.pop(key).close(status)
        self._done[self._places[key]] = item
        return events

    def _items(self) -> list[Item]:
        return [item for _, item in sorted(self._done.items())]


def to_usage(usage: Usage) -> ResponseUsage:
    """Return the counts as a response has them; what no engine counts is 0."""
    details: Any = usage.get("prompt_tokens_details", {})
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {
            "cached_tokens": details.get("cached_tokens", 0),
            "cache_write_tokens": 0,
        },
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }


def to_code(error: TensoriaError) -> str:
    """Return the one of OpenAI's few codes for failed responses that says the most."""
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if isinstance(error, RequestError) else "server_error"
