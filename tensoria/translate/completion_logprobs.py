"""Translators of a text completion that also tell log probabilities; see `chat_logprobs`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import to_text_chunk
from tensoria.translate.completions import ToTextChunks
from tensoria.translate.completions_passthrough import FromOpenAIText
from tensoria.translate.logprobs import ToTextLogprobs, translated
from tensoria.wire.completions import CompletionRequest, TextChunk, TextLogprobs


def to_text_chunks(request: CompletionRequest) -> Callable[..., ToTextChunks]:
    """Return what translates the answer of an Ollama to this request."""
    if "logprobs" not in request:
        return ToTextChunks
    return partial(ToTextChunksWithLogprobs, most=request["logprobs"])


def from_openai_text(request: CompletionRequest) -> Callable[..., FromOpenAIText]:
    """Return what translates the answer of an engine that speaks OpenAI to this request."""
    if "logprobs" not in request:
        return FromOpenAIText
    return partial(FromOpenAITextWithLogprobs, most=request["logprobs"])


class ToTextChunksWithLogprobs(ToTextChunks):
    """Lines of /api/generate, any of which may have `logprobs`."""

    def __init__(self, frame: Frame, *, index: int, most: int, **options: Any) -> None:
        super().__init__(frame, index=index, **options)
        self._frame, self._index, self._most = frame, index, most
        self._told = ToTextLogprobs()

    def _line(self, line: Any, chunks: list[TextChunk]) -> None:
        start = len(chunks)
        if tokens := translated(self, super()._line, line, chunks, self._most):
            attach(self._frame, self._index, self._told.feed(tokens), chunks, start)


class FromOpenAITextWithLogprobs(FromOpenAIText):
    """Events, any choice of which may have `logprobs`, in either form."""

    def __init__(self, frame: Frame, *, index: int, most: int, **options: Any) -> None:
        super().__init__(frame, index=index, **options)
        self._frame, self._index, self._most = frame, index, most
        self._told = ToTextLogprobs()

    def _choice(self, choice: Any, chunks: list[TextChunk]) -> None:
        start = len(chunks)
        if tokens := translated(self, super()._choice, choice, chunks, self._most):
            attach(self._frame, self._index, self._told.feed(tokens), chunks, start)


def attach(
    frame: Frame, index: int, told: TextLogprobs, chunks: list[TextChunk], start: int
) -> None:
    """Put what is told on the text that came with it, or on a chunk of its own before the end."""
    came = [choice for chunk in chunks[start:] for choice in chunk["choices"]]
    for choice in came:
        if choice["text"]:
            choice["logprobs"] = told
            return
    if not any("reasoning_content" in choice for choice in came):
        own = to_text_chunk(frame, index, "")
        own["choices"][0]["logprobs"] = told
        chunks.insert(start, own)
