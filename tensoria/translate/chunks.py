"""Chunks of a chat, in the house language: how each is built, and what they add up to.

Whatever the engine's dialect is, its translator builds chunks with these.
Source: OpenAI's CreateChatCompletionStreamResponse and CreateChatCompletionResponse.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tensoria.errors import BackendError
from tensoria.wire.openai import (
    AnswerMessage,
    Choice,
    Chunk,
    ChunkChoice,
    Completion,
    Delta,
    FinishReason,
    Logprobs,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What every chunk of one answer repeats; `created` in Unix seconds."""

    id: str
    created: int
    model: str
    fingerprint: str | None = None
    include_usage: bool = True


def to_chunk(
    frame: Frame,
    delta: Delta,
    finish_reason: FinishReason | None = None,
    logprobs: Logprobs | None = None,
) -> Chunk:
    """Return one chunk of choice 0."""
    chunk: Chunk = {
        "id": frame.id,
        "object": "chat.completion.chunk",
        "created": frame.created,
        "model": frame.model,
        "system_fingerprint": frame.fingerprint,
        "choices": [
            {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        ],
    }
    if frame.include_usage:
        chunk["usage"] = None
    return chunk


def to_last_chunks(frame: Frame, reason: FinishReason, usage: Usage | None) -> list[Chunk]:
    """Return the finish chunk and, if asked for and known, the usage chunk with no choices."""
    chunks = [to_chunk(frame, {}, reason)]
    if frame.include_usage and usage is not None:
        last = to_chunk(frame, {})
        last["choices"] = []
        last["usage"] = usage
        chunks.append(last)
    return chunks


def to_usage(
    prompt_tokens: object, completion_tokens: object, cached_tokens: object = None
) -> Usage:
    """Return the counts; Ollama leaves out a count that is zero.

    `cached_tokens`, of the prompt's those that were not computed anew, only some engines tell.
    """
    prompt = prompt_tokens if isinstance(prompt_tokens, int) else 0
    completion = completion_tokens if isinstance(completion_tokens, int) else 0
    usage: Usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if type(cached_tokens) is int:
        usage["prompt_tokens_details"] = {"cached_tokens": cached_tokens}
    return usage


class ToCompletion:
    """Chunks of either engine, added up to the answer of a request that does not stream."""

    def __init__(self) -> None:
        self._choices: dict[int, ToChoice] = {}
        self._last: Chunk | None = None
        self._usage: Usage | None = None

    def feed(self, chunks: Iterable[Chunk]) -> None:
        """Add chunks in their order."""
        for chunk in chunks:
            self._last = chunk
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk["choices"]:
                index = choice["index"]
                if index not in self._choices:
                    self._choices[index] = ToChoice(index)
                self._choices[index].add(choice)

    def completion(self) -> Completion:
        """Return the whole answer, or raise BackendError when a finish chunk is missing."""
        if self._last is None or not self._choices:
            raise BackendError("The engine ended the answer without a reason.")
        completion: Completion = {
            "id": self._last["id"],
            "object": "chat.completion",
            "created": self._last["created"],
            "model": self._last["model"],
            "system_fingerprint": self._last["system_fingerprint"],
            "choices": [choice.choice() for _, choice in sorted(self._choices.items())],
        }
        if self._usage is not None:
            completion["usage"] = self._usage
        return completion


class ToChoice:
    """The deltas of one choice, added up."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, ToolCall] = {}
        self._logprobs: list[TokenLogprob] = []
        self._has_logprobs = False
        self._finish_reason: FinishReason | None = None

    def add(self, choice: ChunkChoice) -> None:
        """Add one chunk's part."""
        delta = choice["delta"]
        if "content" in delta:
            self._text.append(delta["content"])
        elif "reasoning_content" in delta:
            self._reasoning.append(delta["reasoning_content"])
        elif "tool_calls" in delta:
            self._call(delta["tool_calls"])
        if choice["logprobs"] is not None:
            self._has_logprobs = True
            self._logprobs += choice["logprobs"]["content"]
        self._finish_reason = choice["finish_reason"] or self._finish_reason

    def choice(self) -> Choice:
        """Return the finished choice, or raise BackendError when no finish chunk came."""
        if self._finish_reason is None:
            raise BackendError("The engine ended the answer without a reason.")
        text = "".join(self._text)
        message: AnswerMessage = {
            "role": "assistant",
            "content": text if text or not self._calls else None,
            "refusal": None,
        }
        if self._calls:
            message["tool_calls"] = [call for _, call in sorted(self._calls.items())]
        if self._reasoning:
            message["reasoning_content"] = message["reasoning"] = "".join(self._reasoning)
        return {
            "index": self._index,
            "message": message,
            "logprobs": (
                {"content": self._logprobs, "refusal": None} if self._has_logprobs else None
            ),
            "finish_reason": self._finish_reason,
        }

    def _call(self, deltas: Iterable[ToolCallDelta]) -> None:
        for delta in deltas:
            call = self._calls.setdefault(
                delta["index"],
                {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
            )
            call["id"] = delta.get("id") or call["id"]
            call["function"]["name"] += delta["function"].get("name", "")
            call["function"]["arguments"] += delta["function"].get("arguments", "")
