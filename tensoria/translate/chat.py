"""Chat: OpenAI's request to Ollama's /api/chat, and its lines to chunks.

Sources: Ollama's docs/api.md and recordings of 0.9.6 to 0.32.15; OpenAI's
CreateChatCompletionRequest and CreateChatCompletionStreamResponse.
"""

from collections.abc import Iterable
from typing import Any, cast

from tensoria.errors import BackendError
from tensoria.translate import timings, usages
from tensoria.translate.chunks import Frame, to_chunk, to_last_chunks
from tensoria.translate.errors import to_stream_error
from tensoria.translate.options import to_options
from tensoria.translate.reading import Lines
from tensoria.translate.structured import to_format
from tensoria.translate.tools import OllamaCalls, to_ollama_history, to_ollama_tools
from tensoria.translate.traits import Version
from tensoria.wire import ollama
from tensoria.wire.generation import Generation
from tensoria.wire.openai import (
    ChatRequest,
    Chunk,
    Delta,
    Message,
)


def to_ollama(
    request: ChatRequest,
    *,
    model: str,
    max_tokens: int,
    temperature: float | None,
    keep_alive: str | int | float,
    context_length: int | None,
    version: Version | None = None,
    think: str | bool | None = None,
) -> ollama.ChatRequest:
    """Return the body for /api/chat, always streaming.

    `version` is the release that gets it, which counts for tools alone.
    `temperature` (None: the model's own holds) is used when the client names none. num_ctx is
    sent with every request or with none, because a change makes Ollama reload the model.
    """
    options = to_options(
        cast("dict[str, Any]", request),
        max_tokens=max_tokens,
        temperature=temperature,
        context_length=context_length,
    )
    body: ollama.ChatRequest = {
        "model": model,
        "messages": to_messages(request["messages"]),
        "stream": True,
        "truncate": False,
        "shift": False,
        "keep_alive": request.get("keep_alive", keep_alive),
        "options": options,
    }
    if "tools" in request:
        body["tools"] = to_ollama_tools(request["tools"], version)
    if "response_format" in request:
        body["format"] = to_format(request["response_format"])
    if "logprobs" in request:
        body["logprobs"] = True
        body["top_logprobs"] = request.get("top_logprobs", 0)
    if think is not None:
        body["think"] = think
    return body


def to_messages(messages: Iterable[Message]) -> list[ollama.ChatMessage]:
    """Return messages as Ollama has them, with their roles folded."""
    return to_ollama_history(fold_roles(messages))


def fold_roles(messages: Iterable[Message]) -> list[Message]:
    """Fold `developer` into `system`, leading system messages into one, `function` into `tool`.

    Most Go templates drop a role that they do not know without a word, and some Jinja templates
    raise on a second system message.
    """
    folded: list[Message] = []
    # Joined once: a client may send a hundred thousand of them.
    leading: list[str] = []
    for message in messages:
        role = message["role"]
        if role in ("system", "developer"):
            if not folded or (leading and len(folded) == 1):
                leading.append(message["content"])
            if len(leading) > 1 and len(folded) == 1:
                continue
            folded.append({"role": "system", "content": message["content"]})
        elif role == "function":
            folded.append({**message, "role": "tool"})
        else:
            folded.append(message)
    if len(leading) > 1:
        folded[0]["content"] = "\n\n".join(filter(None, leading))
    return folded


def wants_usage(request: Generation) -> bool:
    """A whole answer always has its usage, a stream on demand."""
    options = request.get("stream_options", {})
    return not request.get("stream") or options.get("include_usage", False)


# Engines keep the limit in 32 bits, and a larger one would wrap.
MOST_TOKENS = 2**31 - 1


def token_limit(
    request: Generation, *, default: int, ceiling: int | None
) -> tuple[int, dict[str, str]]:
    """Return the limit in tokens, and what was adjusted (`{"max_tokens": "8192"}`) if clamped.

    Every spelling of the limit binds, so the smaller one holds; -1 means that none is named.
    `ceiling` is None where neither a setting nor the model's context is known.
    """
    named: dict[str, int] = {}
    for field in ("max_completion_tokens", "max_tokens"):
        value = cast("dict[str, Any]", request).get(field, -1)
        if value != -1:
            named[field] = value
    if not named:
        return min(default, ceiling or default), {}
    field, limit = min(named.items(), key=lambda item: item[1])
    ceiling = ceiling or MOST_TOKENS
    if limit > ceiling:
        return ceiling, {field: str(ceiling)}
    return limit, {}


class ToChunks(Lines[Chunk]):
    """Ollama's NDJSON lines to OpenAI's chunks; the role goes out with the first of them."""

    def __init__(self, frame: Frame, *, context: int | None = None) -> None:
        super().__init__()
        self._frame = frame
        self._context = context
        self._opened = False
        self._calls: OllamaCalls | None = None

    def _line(self, line: Any, chunks: list[Chunk]) -> None:
        if not isinstance(line, dict) or "error" in line:
            self.error = (
                to_stream_error(line["error"], context=self._context)
                if isinstance(line, dict)
                else BackendError("The engine sent a line that is not an object.")
            )
            return
        message = line.get("message")
        if not isinstance(message, dict) or not isinstance(text := message.get("content", ""), str):
            self.error = BackendError("The engine sent a line without a message.")
            return
        self._say(message, text, chunks)
        if "tool_calls" in message:
            self._call(message["tool_calls"], chunks)
        if line.get("done") and not self.error:
            self._finish(line, chunks)

    def _say(self, message: dict[str, Any], text: str, chunks: list[Chunk]) -> None:
        thinking = message.get("thinking")
        if isinstance(thinking, str) and thinking:
            self._open(chunks)
            delta: Delta = {"reasoning_content": thinking, "reasoning": thinking}
            chunks.append(to_chunk(self._frame, delta))
        if text:
            if not self._opened:
                self._open(chunks)
            chunks.append(to_chunk(self._frame, {"content": text}))

    def _call(self, calls: Any, chunks: list[Chunk]) -> None:
        """Each call is whole: in a line of its own, or (0.30 and later) all in the last line."""
        self._calls = self._calls or OllamaCalls(self._frame.id)
        try:
            for call in calls or ():
                delta = self._calls.take(call)
                self._open(chunks)
                chunks.append(to_chunk(self._frame, {"tool_calls": [delta]}))
        except (TypeError, ValueError):
            self.error = BackendError("The engine sent a tool call that cannot be read.")

    def _open(self, chunks: list[Chunk]) -> None:
        if not self._opened:
            self._opened = True
            chunks.append(to_chunk(self._frame, {"role": "assistant", "content": ""}))

    def _finish(self, line: dict[str, Any], chunks: list[Chunk]) -> None:
        reason: Any = line.get("done_reason")
        if reason not in ("stop", "length"):
            # Without a reason the runner was lost; `load` and `unload` are no answers.
            self.error = BackendError("The engine ended the answer without a reason.")
            return
        if reason == "stop" and self._calls and self._calls.count:
            # Ollama has no reason of its own for calls.
            reason = "tool_calls"
        self._open(chunks)
        self.finished = True
        self.usage = usages.from_ollama(line)
        self.timings = timings.from_ollama(line)
        chunks.extend(to_last_chunks(self._frame, reason, self.usage))
