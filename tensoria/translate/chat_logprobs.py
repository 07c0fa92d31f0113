"""Translators of a chat that also tell log probabilities, for the requests that ask for them.

They are classes of their own so that all other chats pay nothing for them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from tensoria.translate.chat import ToChunks
from tensoria.translate.chat_passthrough import FromOpenAI
from tensoria.translate.chunks import Frame, to_chunk
from tensoria.translate.logprobs import translated
from tensoria.wire.openai import ChatRequest, Chunk, TokenLogprob

# Ollama sends as many as it was asked for, and never more than this.
MOST = 20


def to_chunks(request: ChatRequest) -> type[ToChunks]:
    """Return what translates the answer of an Ollama to this request."""
    return ToChunksWithLogprobs if "logprobs" in request else ToChunks


def from_openai(request: ChatRequest) -> Callable[[Frame], FromOpenAI]:
    """Return what translates the answer of an engine that speaks OpenAI to this request."""
    if "logprobs" not in request:
        return FromOpenAI
    return partial(FromOpenAIWithLogprobs, most=request.get("top_logprobs", 0))


class ToChunksWithLogprobs(ToChunks):
    """Lines of /api/chat, any of which may have `logprobs`, also one without text."""

    def _line(self, line: Any, chunks: list[Chunk]) -> None:
        start = len(chunks)
        if tokens := translated(self, super()._line, line, chunks, MOST):
            self._open(chunks)
            attach(self._frame, tokens, chunks, start)


class FromOpenAIWithLogprobs(FromOpenAI):
    """Events, any choice of which may have `logprobs`."""

    def __init__(self, frame: Frame, *, most: int) -> None:
        super().__init__(frame)
        self._most = most

    def _choice(self, choice: Any, chunks: list[Chunk]) -> None:
        start = len(chunks)
        if tokens := translated(self, super()._choice, choice, chunks, self._most):
            attach(self._frame, tokens, chunks, start)


def attach(frame: Frame, tokens: list[TokenLogprob], chunks: list[Chunk], start: int) -> None:
    """Put the tokens on the text that came with them: in `chunks` from `start` on.

    Where none came (a parser holds it back) they get a chunk of their own, after the role and
    before the finish chunk. Those of a thought are left out: OpenAI tells those of the text.
    """
    own = to_chunk(frame, {"content": ""}, logprobs={"content": tokens, "refusal": None})
    came = [choice for chunk in chunks[start:] for choice in chunk["choices"]]
    for choice in came:
        if choice["delta"].get("content"):
            choice["logprobs"] = own["choices"][0]["logprobs"]
            return
    if not any("reasoning_content" in choice["delta"] for choice in came):
        chunks.insert(start + any("role" in choice["delta"] for choice in came), own)
