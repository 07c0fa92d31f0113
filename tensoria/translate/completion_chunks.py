"""Chunks of a text completion, in the house language: how each is built, and what they add up to.

Source: OpenAI's CreateCompletionResponse, which is the shape of a streamed chunk as well.
"""

from collections.abc import Iterable

from tensoria.errors import BackendError, ContextLengthExceeded, TensoriaError
from tensoria.translate.chunks import Frame
from tensoria.wire.completions import TextChoice, TextChunk, TextCompletion
from tensoria.wire.openai import FinishReason, Usage


def to_text_chunk(
    frame: Frame, index: int, text: str, finish_reason: FinishReason | None = None
) -> TextChunk:
    """Return one chunk of one choice."""
    chunk: TextChunk = {
        "id": frame.id,
        "object": "text_completion",
        "created": frame.created,
        "model": frame.model,
        "system_fingerprint": frame.fingerprint,
        "choices": [
            {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}
        ],
    }
    if frame.include_usage:
        chunk["usage"] = None
    return chunk


def to_usage_chunks(frame: Frame, usage: Usage | None) -> list[TextChunk]:
    """Return the chunk without choices that ends all of them, if it was asked for and is known."""
    if usage is None or not frame.include_usage:
        return []
    chunk = to_text_chunk(frame, 0, "")
    chunk["choices"] = []
    chunk["usage"] = usage
    return [chunk]


def sum_usage(usages: Iterable[Usage | None]) -> Usage | None:
    """Return the counts of several runs as one; None when one of them told nothing."""
    total: Usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    cached = 0
    for usage in usages:
        if usage is None:
            return None
        total["prompt_tokens"] += usage["prompt_tokens"]
        total["completion_tokens"] += usage["completion_tokens"]
        total["total_tokens"] += usage["total_tokens"]
        if "prompt_tokens_details" in usage:
            cached += usage["prompt_tokens_details"]["cached_tokens"]
            total["prompt_tokens_details"] = {"cached_tokens": cached}
    return total


def of_prompt(error: TensoriaError) -> TensoriaError:
    """Return an engine's error, in which `prompt` is at fault where a chat has `messages`."""
    if isinstance(error, ContextLengthExceeded):
        error.param = "prompt"
    return error


class TextAnswer:
    """One choice as it comes: its prompt if that is echoed, its text, its one finish chunk.

    The prompt waits for the engine's first word: until then a failure can have its true status.
    """

    def __init__(self, frame: Frame, index: int, echo: str | None) -> None:
        self._frame = frame
        self._index = index
        self._echo = echo

    def say(self, text: str, chunks: list[TextChunk]) -> None:
        """Add text; none adds no chunk."""
        self._open(chunks)
        if text:
            chunks.append(to_text_chunk(self._frame, self._index, text))

    def think(self, thinking: str, chunks: list[TextChunk]) -> None:
        """Add a thought, which OpenAI's completions have no place for: beside the text."""
        self._open(chunks)
        chunk = to_text_chunk(self._frame, self._index, "")
        chunk["choices"][0]["reasoning_content"] = thinking
        chunks.append(chunk)

    def finish(self, reason: FinishReason, chunks: list[TextChunk]) -> None:
        """Add the finish chunk."""
        self._open(chunks)
        chunks.append(to_text_chunk(self._frame, self._index, "", reason))

    def _open(self, chunks: list[TextChunk]) -> None:
        echo, self._echo = self._echo, None
        if echo:
            chunks.append(to_text_chunk(self._frame, self._index, echo))


class _Parts:
    """What one choice is made of."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.finish_reason: FinishReason | None = None


class ToTextCompletion:
    """Chunks of either engine, added up to the answer of a request that does not stream."""

    def __init__(self) -> None:
        self._last: TextChunk | None = None
        self._parts: dict[int, _Parts] = {}
        self._usage: Usage | None = None

    def feed(self, chunks: Iterable[TextChunk]) -> None:
        """Add chunks in their order."""
        for chunk in chunks:
            self._last = chunk
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk["choices"]:
                parts = self._parts.setdefault(choice["index"], _Parts())
                parts.text.append(choice["text"])
                parts.reasoning.append(choice.get("reasoning_content", ""))
                parts.finish_reason = choice["finish_reason"] or parts.finish_reason

    def completion(self) -> TextCompletion:
        """Return the whole answer, or raise BackendError when a finish chunk did not come."""
        if self._last is None:
            raise BackendError("The engine ended the answer without a word.")
        completion: TextCompletion = {
            "id": self._last["id"],
            "object": "text_completion",
            "created": self._last["created"],
            "model": self._last["model"],
            "system_fingerprint": self._last["system_fingerprint"],
            "choices": [_to_choice(index, self._parts[index]) for index in sorted(self._parts)],
        }
        if self._usage is not None:
            completion["usage"] = self._usage
        return completion


def _to_choice(index: int, parts: _Parts) -> TextChoice:
    if parts.finish_reason is None:
        raise BackendError("The engine ended the answer without a reason.")
    choice: TextChoice = {
        "index": index,
        "text": "".join(parts.text),
        "logprobs": None,
        "finish_reason": parts.finish_reason,
    }
    if reasoning := "".join(parts.reasoning):
        choice["reasoning_content"] = reasoning
    return choice
