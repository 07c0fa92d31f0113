"""Completions for an engine that already speaks OpenAI: its request, and its chunks made regular.

Seen with llama.cpp's server (build 11549), which counts only the first of several prompts in its
usage, takes no notice of `suffix`, and has no template to put around a prompt.
"""

from typing import Any, cast

from tensoria.errors import BackendError, TensoriaError, UnsupportedParameter
from tensoria.translate.chat_passthrough import PASSED
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import TextAnswer, of_prompt
from tensoria.translate.extensions import to_openai_extensions
from tensoria.translate.reading import Events
from tensoria.wire.completions import CompletionRequest, TextChunk
from tensoria.wire.openai import FinishReason


def to_openai_completion(
    request: CompletionRequest,
    prompt: str,
    *,
    model: str,
    max_tokens: int,
    temperature: float,
    llama_cpp: bool,
) -> dict[str, Any]:
    """Return the body for the engine's /completions, always streaming and with usage.

    Raises UnsupportedParameter for what the engine would leave out without a word. Of llama.cpp
    progress is asked for, as for a chat.
    """
    if request.get("raw") is False:
        raise UnsupportedParameter(
            "'raw' must be true with this engine, which puts no template around a prompt: use "
            "/v1/chat/completions.",
            param="raw",
        )
    fields = cast("dict[str, Any]", request)
    body = {name: fields[name] for name in (*PASSED, "suffix") if name in fields}
    body["model"] = model
    body["prompt"] = prompt
    body["max_tokens"] = max_tokens
    body["temperature"] = fields.get("temperature", temperature)
    body["stream"] = True
    body["stream_options"] = {"include_usage": True}
    body.update(to_openai_extensions(fields, llama_cpp=llama_cpp))
    if llama_cpp:
        body["return_progress"] = True
    if "logprobs" in fields:
        # As for a chat, llama.cpp tells nothing when it is asked for 0.
        body["logprobs"] = max(1, fields["logprobs"])
    return body


class FromOpenAIText(Events[TextChunk]):
    """An engine's events to chunks of one choice of ours; see `FromOpenAI`."""

    def __init__(self, frame: Frame, *, index: int = 0, echo: str | None = None) -> None:
        super().__init__()
        self._answer = TextAnswer(frame, index, echo)
        self._reason: FinishReason | None = None

    def _failure(self, told: object) -> TensoriaError:
        return of_prompt(super()._failure(told))

    def _choice(self, choice: Any, chunks: list[TextChunk]) -> None:
        text = (choice.get("text") or "") if isinstance(choice, dict) else None
        if not isinstance(text, str):
            self.error = BackendError("The engine sent a choice whose text is none.")
            return
        self._answer.say(text, chunks)
        reason = choice.get("finish_reason")
        if reason in ("stop", "length", "content_filter"):
            self._reason = reason
        elif reason is not None:
            # vLLM's "abort" and the like: to call that a stop would be a lie.
            self.error = BackendError("The engine ended the answer for a reason of its own.")

    def _end(self, chunks: list[TextChunk]) -> None:
        if self._reason is None:
            self.error = BackendError("The engine ended the answer without a reason.")
            return
        self.finished = True
        self._answer.finish(self._reason, chunks)
