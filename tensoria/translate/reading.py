"""An engine's lines or events, read until the answer is over: what all translators share.

| state    | after                                              | what follows                     |
| -------- | -------------------------------------------------- | -------------------------------- |
| open     | the start                                          | chunks                           |
| finished | the end, with a reason that we know                | nothing: later lines are ignored |
| failed   | an error of the engine's, a line that is no object | `error` is to be raised          |

What came before an error in the same block is still returned: nothing is lost.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import orjson

from tensoria.errors import BackendError, TensoriaError
from tensoria.translate import timings, usages
from tensoria.translate.errors import to_stream_error
from tensoria.wire.completions import TextChunk
from tensoria.wire.openai import Chunk, Timings, Usage

AnyChunk = TypeVar("AnyChunk", Chunk, TextChunk)


class _Reading:
    """What is known of an answer so far."""

    def __init__(self) -> None:
        self.finished = False
        self.error: TensoriaError | None = None
        self.usage: Usage | None = None
        self.timings: Timings = {}


class Lines(_Reading, ABC, Generic[AnyChunk]):
    """Ollama's NDJSON lines; a subclass says what becomes of each in `_line`."""

    def feed(self, lines: Iterable[bytes]) -> list[AnyChunk]:
        """Return the chunks of whole lines; sets `finished`, `usage` or `error`."""
        chunks: list[AnyChunk] = []
        for line in lines:
            if self.finished or self.error:
                break
            try:
                parsed = orjson.loads(line)
            except orjson.JSONDecodeError:
                self.error = BackendError("The engine sent a line that is not JSON.")
                break
            self._line(parsed, chunks)
        return chunks

    @abstractmethod
    def _line(self, line: Any, chunks: list[AnyChunk]) -> None:
        """Add the chunks of a line, which may be any JSON."""


class Events(_Reading, ABC, Generic[AnyChunk]):
    """The events of an engine that speaks OpenAI, to `[DONE]`; see `_choice` and `_end`."""

    def feed(self, events: Iterable[bytes]) -> list[AnyChunk]:
        """Return the chunks of whole events (their data); sets `finished`, `usage` or `error`."""
        chunks: list[AnyChunk] = []
        for event in events:
            if self.finished or self.error:
                break
            if event == b"[DONE]":
                self._end(chunks)
                break
            try:
                parsed = orjson.loads(event)
            except orjson.JSONDecodeError:
                self.error = BackendError("The engine sent an event that is not JSON.")
                break
            self._event(parsed, chunks)
        return chunks

    def _event(self, event: Any, chunks: list[AnyChunk]) -> None:
        if not isinstance(event, dict):
            self.error = BackendError("The engine sent an event that is not an object.")
            return
        if event.get("error") is not None:
            self.error = self._failure(event["error"])
            return
        if "timings" in event:
            self.timings = timings.from_llama_cpp(event["timings"])
        self.usage = usages.from_openai(event) or self.usage
        if event.get("prompt_progress") is not None:
            return
        choices = event.get("choices") or []
        if not isinstance(choices, list):
            self.error = BackendError("The engine sent an event whose choices are no list.")
            return
        for choice in choices:
            self._choice(choice, chunks)

    def _failure(self, told: object) -> TensoriaError:
        """Return the engine's own error as ours."""
        return to_stream_error(told)

    @abstractmethod
    def _choice(self, choice: Any, chunks: list[AnyChunk]) -> None:
        """Add the chunks of a choice, which may be any JSON."""

    @abstractmethod
    def _end(self, chunks: list[AnyChunk]) -> None:
        """Add the last chunks, or set `error` where the engine gave no reason for its end."""
