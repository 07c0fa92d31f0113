"""Completions: OpenAI's request to Ollama's /api/generate, and its lines to chunks.

Sources: Ollama's docs/api.md and recordings of 0.9.6 to 0.32.15; OpenAI's
CreateCompletionRequest and CreateCompletionResponse.
"""

from typing import Any, cast

from tensoria.errors import BackendError
from tensoria.translate import timings, usages
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import TextAnswer, of_prompt
from tensoria.translate.errors import to_stream_error
from tensoria.translate.options import to_options
from tensoria.translate.reading import Lines
from tensoria.wire.completions import CompletionRequest, GenerateRequest, TextChunk


def to_generate(
    request: CompletionRequest,
    prompt: str,
    *,
    model: str,
    max_tokens: int,
    temperature: float | None,
    keep_alive: str | int | float,
    context_length: int | None,
) -> GenerateRequest:
    """Return the body for /api/generate, always streaming; `translate.chat.to_ollama` says more.

    Raw, so that the model continues the text as it is. A suffix needs the model's template: with
    `raw` Ollama leaves it out without a word. Thinking is off: there is no place for it, and where
    it is on Ollama cuts `<think>` out of a raw text.
    """
    body: GenerateRequest = {
        "model": model,
        "prompt": prompt,
        "raw": request.get("raw", "suffix" not in request),
        "think": False,
        "stream": True,
        "truncate": False,
        "shift": False,
        "keep_alive": request.get("keep_alive", keep_alive),
        "options": to_options(
            cast("dict[str, Any]", request),
            max_tokens=max_tokens,
            temperature=temperature,
            context_length=context_length,
        ),
    }
    if "suffix" in request:
        body["suffix"] = request["suffix"]
    if "logprobs" in request:
        body["logprobs"] = True
        body["top_logprobs"] = request["logprobs"]
    return body


def echoed(request: CompletionRequest, prompt: str) -> str | None:
    """Return what stands before the answer's own text."""
    return prompt if request.get("echo") else None


class ToTextChunks(Lines[TextChunk]):
    """Ollama's NDJSON lines to chunks of one choice."""

    def __init__(
        self, frame: Frame, *, index: int = 0, echo: str | None = None, context: int | None = None
    ) -> None:
        super().__init__()
        self._answer = TextAnswer(frame, index, echo)
        self._context = context

    def _line(self, line: Any, chunks: list[TextChunk]) -> None:
        if not isinstance(line, dict):
            self.error = BackendError("The engine sent a line that is not an object.")
            return
        if "error" in line:
            self.error = of_prompt(to_stream_error(line["error"], context=self._context))
            return
        text = line.get("response")
        if not isinstance(text, str):
            self.error = BackendError("The engine sent a line without a response.")
            return
        thinking = line.get("thinking")
        if isinstance(thinking, str) and thinking:
            self._answer.think(thinking, chunks)
        if text:
            self._answer.say(text, chunks)
        if line.get("done"):
            self._finish(line, chunks)

    def _finish(self, line: dict[str, Any], chunks: list[TextChunk]) -> None:
        reason = line.get("done_reason")
        if reason not in ("stop", "length"):
            # Without a reason the runner was lost; `load` and `unload` are no answers.
            self.error = BackendError("The engine ended the answer without a reason.")
            return
        self.finished = True
        self.usage = usages.from_ollama(line)
        self.timings = timings.from_ollama(line)
        self._answer.finish(reason, chunks)
