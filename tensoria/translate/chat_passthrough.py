"""Chat for an engine that already speaks OpenAI: its request, and its chunks made regular.

Seen with llama.cpp's server (build 11549), which adds `timings` and `prompt_progress`, starts
with `content: null`, and accepts any model name; vLLM and LiteLLM put the finish reason on the
last delta.
"""

from typing import Any, cast

from tensoria.errors import BackendError
from tensoria.translate.call_deltas import CallPieces
from tensoria.translate.chat import fold_roles
from tensoria.translate.chunks import Frame, to_chunk, to_last_chunks
from tensoria.translate.extensions import to_openai_extensions
from tensoria.translate.images import with_parts
from tensoria.translate.reading import Events
from tensoria.translate.reasoning import to_openai_reasoning
from tensoria.wire.openai import (
    ChatRequest,
    Chunk,
    Delta,
    FinishReason,
    Message,
    ToolCallDelta,
)

PASSED = (
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "response_format",
)
_OF_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


def to_openai(
    request: ChatRequest,
    *,
    model: str,
    max_tokens: int,
    temperature: float,
    progress: bool,
    default_effort: str | None = None,
) -> dict[str, Any]:
    """Return the body for the engine's /chat/completions, always streaming and with usage.

    `progress` asks llama.cpp for progress events during prefill: with them it sends its headers at
    once and notices within one batch that we have gone, not only at the first token.
    """
    fields = cast("dict[str, Any]", request)
    body = {name: fields[name] for name in PASSED if name in fields}
    body["model"] = model
    messages = fold_roles(request["messages"])
    body["messages"] = [with_parts(_without_name(message)) for message in messages]
    body["max_tokens"] = max_tokens
    body["temperature"] = fields.get("temperature", temperature)
    body["stream"] = True
    body["stream_options"] = {"include_usage": True}
    if "tools" in request:
        body |= {name: fields[name] for name in _OF_TOOLS if name in fields}
    body.update(to_openai_extensions(fields, llama_cpp=progress))
    body.update(to_openai_reasoning(request, default=default_effort, llama_cpp=progress))
    if progress:
        body["return_progress"] = True
    if "logprobs" in fields:
        body["logprobs"] = True
        # Asked for none, llama.cpp tells nothing of the chosen token either.
        body["top_logprobs"] = max(1, fields.get("top_logprobs", 0))
    return body


def _without_name(message: Message) -> dict[str, Any]:
    """Leave out a speaker's name: it is told as ignored, since templates have no place for it."""
    if "name" not in message or message["role"] == "tool":
        return cast("dict[str, Any]", message)
    return {key: value for key, value in message.items() if key not in ("name", "tool_call_id")}


class FromOpenAI(Events[Chunk]):
    """An engine's events to chunks of ours: one id, one finish chunk, then usage.

    The finish chunk is held back until the usage or the end has come, because engines send the
    usage after it.
    """

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self._frame = frame
        self._opened = False
        self._calls: CallPieces | None = None
        self._reason: FinishReason | None = None
        # The stop string that ended the answer, which of all engines only vLLM tells.
        self._stop: str | None = None

    def _choice(self, choice: Any, chunks: list[Chunk]) -> None:
        delta = (choice.get("delta") or {}) if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            self.error = BackendError("The engine sent a choice that is not an object.")
            return
        if not self._opened:
            self._opened = True
            chunks.append(to_chunk(self._frame, {"role": "assistant", "content": ""}))
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            thought: Delta = {"reasoning_content": reasoning, "reasoning": reasoning}
            chunks.append(to_chunk(self._frame, thought))
        if text := delta.get("content"):
            if not isinstance(text, str):
                self.error = BackendError("The engine sent content that is not text.")
                return
            chunks.append(to_chunk(self._frame, {"content": text}))
        if pieces := delta.get("tool_calls"):
            self._call(pieces, chunks)
        reason = choice.get("finish_reason")
        if reason in ("stop", "length", "content_filter", "tool_calls"):
            self._reason = reason
            # For a token that stops, it is the token's number.
            stop = choice.get("stop_reason")
            self._stop = stop if isinstance(stop, str) else None
        elif reason is not None:
            # vLLM's "abort" and the like: to call that a stop would be a lie.
            self.error = BackendError("The engine ended the answer for a reason of its own.")

    def _call(self, pieces: Any, chunks: list[Chunk]) -> None:
        self._calls = self._calls or CallPieces(self._frame.id)
        try:
            self._add(self._calls.feed(pieces), chunks)
        except (TypeError, ValueError):
            self.error = BackendError("The engine sent a tool call that cannot be read.")

    def _add(self, deltas: list[ToolCallDelta], chunks: list[Chunk]) -> None:
        if deltas:
            chunks.append(to_chunk(self._frame, {"tool_calls": deltas}))

    def _end(self, chunks: list[Chunk]) -> None:
        if self._reason is None:
            self.error = BackendError("The engine ended the answer without a reason.")
            return
        if self._reason in ("stop", "tool_calls"):
            # vLLM says "stop" for a call that was forced; and without a call there is none to run.
            self._reason = "tool_calls" if self._calls and self._calls.count else "stop"
        if self._calls:
            self._add(self._calls.end(), chunks)
        self.finished = True
        last = to_last_chunks(self._frame, self._reason, self.usage)
        if self._stop is not None:
            last[0]["choices"][0]["stop_reason"] = self._stop
        chunks.extend(last)
