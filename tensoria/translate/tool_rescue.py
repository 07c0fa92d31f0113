"""Calls that a model wrote as text, made into tool calls on their way out."""

import re
from collections import deque
from collections.abc import Iterable

from tensoria.errors import TensoriaError
from tensoria.translate.call_forms import FORMS, Calls, read_calls
from tensoria.translate.call_source import Source
from tensoria.translate.offered import Offered, to_deltas
from tensoria.wire.openai import Chunk, Delta, FinishReason, Tool

_MARKS = [opening for opening, form in FORMS.items() if form.marked]
# A mark, or at the end of a piece what may become one.
_START = re.compile(
    "|".join(
        [re.escape(mark) for mark in _MARKS]
        + [
            re.escape(mark[:length]) + r"\Z"
            for mark in _MARKS
            for length in range(len(mark) - 1, 0, -1)
        ]
    )
)


class RescueCalls:
    """A stage (see `backends/staged.py`) for an answer that may call tools.

    | state   | after                                | content                                   |
    | ------- | ------------------------------------ | ----------------------------------------- |
    | held    | the start, a mark in the text        | held back while it can still be calls     |
    | open    | text that is no call                 | passes                                    |
    | over    | a call of the engine's own           | passes: the engine reads calls by itself  |

    What is held comes out unchanged, in its own chunks, when it is no call; a call only counts at
    the end of the answer. `adjusted` gets a note when a call was rescued.
    """

    error: TensoriaError | None = None

    def __init__(self, tools: Iterable[Tool], adjusted: dict[str, str]) -> None:
        self._offered = Offered(tools)
        self._adjusted = adjusted
        self._tail: Tail | None = Tail(self._offered, at_start=True)
        self._over = False

    def feed(self, chunks: list[Chunk]) -> list[Chunk]:
        """Return what may go out by now."""
        out: list[Chunk] = []
        for chunk in chunks:
            if self._over or not chunk["choices"]:
                out.append(chunk)
                continue
            choice = chunk["choices"][0]
            if choice["finish_reason"]:
                self._finish(chunk, choice["finish_reason"], out)
            elif "tool_calls" in choice["delta"]:
                self._let_go(out)
                self._over = True
                out.append(chunk)
            elif choice["delta"].get("content"):
                self._say(chunk, out)
            else:
                out.append(chunk)
        return out

    def _say(self, chunk: Chunk, out: list[Chunk]) -> None:
        """Hold a chunk, or let it pass; a position is where the look for a call goes on."""
        queue = deque([(chunk, 0)])
        while queue:
            chunk, position = queue.popleft()
            if self._tail is None:
                found = _START.search(_text(chunk), position)
                if found is None:
                    out.append(chunk)
                    continue
                if found.start():
                    before, chunk = _split(chunk, found.start())
                    out.append(before)
                self._tail = Tail(self._offered, at_start=False)
            self._tail.feed(chunk)
            if self._tail.over:
                queue.extendleft(reversed(self._tail.leave(out)))
                self._tail = None

    def _finish(self, chunk: Chunk, reason: FinishReason, out: list[Chunk]) -> None:
        calls = self._tail.end() if self._tail else None
        if not calls:
            self._let_go(out)
            out.append(chunk)
            return
        self._adjusted["tool_calls"] = "rescued"
        out.append(_with_delta(chunk, {"tool_calls": to_deltas(calls, chunk["id"])}))
        # An answer that was cut behind a whole call is still one that was cut.
        out.append(_with_delta(chunk, {}, "tool_calls" if reason == "stop" else reason))

    def _let_go(self, out: list[Chunk]) -> None:
        if self._tail:
            out.extend(self._tail.held)
            self._tail = None


class Tail:
    """The chunks at the end of an answer, for as long as they can be calls."""

    def __init__(self, offered: Offered, *, at_start: bool) -> None:
        self._source = Source()
        self._reading = read_calls(self._source, offered, at_start=at_start)
        self._calls: Calls | None = None
        self.held: list[Chunk] = []
        self.over = False

    def feed(self, chunk: Chunk) -> None:
        """Take a chunk; `over` says that it all cannot be calls."""
        self.held.append(chunk)
        self._source.feed(_text(chunk))
        self._read_on()

    def end(self) -> Calls | None:
        """Return the calls if there are some."""
        self._source.end()
        self._read_on()
        return self._calls

    def leave(self, out: list[Chunk]) -> list[tuple[Chunk, int]]:
        """Let those chunks out that were understood; return the others with a position.

        Behind it the next call may begin: calls with text after them are text, and were read.
        """
        position = max(self._source.mark, 1)
        for index, chunk in enumerate(self.held):
            if position < len(_text(chunk)):
                return [(chunk, position), *((later, 0) for later in self.held[index + 1 :])]
            out.append(chunk)
            position -= len(_text(chunk))
        return []

    def _read_on(self) -> None:
        try:
            next(self._reading)
        except StopIteration as stop:
            self._calls = stop.value
            self.over = True


def _text(chunk: Chunk) -> str:
    return chunk["choices"][0]["delta"]["content"]


def _split(chunk: Chunk, at: int) -> tuple[Chunk, Chunk]:
    """Part a chunk's text; its log probabilities stay with the first part."""
    text = _text(chunk)
    logprobs = chunk["choices"][0]["logprobs"]
    before = _with_delta(chunk, {"content": text[:at]})
    before["choices"][0]["logprobs"] = logprobs
    return before, _with_delta(chunk, {"content": text[at:]})


def _with_delta(chunk: Chunk, delta: Delta, reason: FinishReason | None = None) -> Chunk:
    index = chunk["choices"][0]["index"]
    copy = chunk.copy()
    copy["choices"] = [{"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}]
    return copy
