"""What an engine's error becomes for the client.

Ollama's texts are from its source and recordings (0.9.6 to 0.32.15). Since 0.30 the text can be
llama-server's whole JSON error inside a string.
"""

import re
from typing import Any

import orjson

from tensoria.errors import (
    BackendError,
    BackendOverloaded,
    ContextLengthExceeded,
    InvalidRequest,
    ModelLoadFailed,
    ModelNotFound,
    RequestError,
    TensoriaError,
    UnsupportedParameter,
)

_OVERFLOW = re.compile(
    r"exceeds? (?:the |maximum )?context length|prompt is longer than the context length"
    r"|exceeds the available context size|maximum context length is"
)
# vLLM and OpenAI itself tell the numbers in the text alone.
_CONTEXT_IN_TEXT = re.compile(r"maximum context length is (\d{1,10}) tokens")
_PROMPT_IN_TEXT = re.compile(r"(?:resulted in|requested) (\d{1,10}) tokens")
_UNSUPPORTED = re.compile(r"does not support (\w+)|image input is not supported")
_LOAD = re.compile(
    r"requires more system memory|unable to load model|out-of-memory during startup"
    r"|process has terminated|timed out waiting for (?:llama|runner)|exceeds file size"
    r"|failed to load|error loading model|unable to allocate|incompatible .*GGUF"
    r"|no longer compatible|invalid file magic|may be incompatible with your version"
)
# Answered as 500 by Ollama, although the request is at fault.
_REQUEST_AT_FAULT = re.compile(
    r'^option "|^invalid format|^invalid JSON schema in format|^image input is not supported'
)
# Of `format`: since 0.30 llama-server's words, which it also says to those who ask it directly.
_SCHEMA = re.compile(
    r"^invalid format|^invalid JSON schema in format|JSON schema conversion failed"
    r"|JSON schema error at|failed to parse grammar"
)
# Addresses with or without a scheme, and paths of both kinds of system.
_PRIVATE = re.compile(
    r"\w+://\S+|(?<![\w.])/[\w.\-]\S*|\b[A-Za-z]:\\\S*"
    r"|\b\d+\.\d+\.\d+\.\d+(?::\d+)?\b|\[[0-9a-f:]+\]:\d+"
)
_PARAM_OF_CAPABILITY = {
    "chat": "model",
    "generate": "model",
    "tools": "tools",
    "thinking": "reasoning_effort",
    "insert": "suffix",
    "images": "messages",
}


def to_error(
    status: int, body: bytes, *, context: int | None = None, param: str = "messages"
) -> TensoriaError:
    """Return the error for an engine's answer whose status is not 200.

    `context` (tokens) is the model's context where it is known; it is named in an overflow, and so
    is `param`, the field that is too long.
    """
    detail = _detail(body)
    if detail is None:
        return BackendError(f"The engine answered with status {status} and no error of its own.")
    return _classified(status, detail, context, param)


def to_stream_error(detail: object, *, context: int | None = None) -> TensoriaError:
    """Return the error for an `error` member inside a stream whose status was 200."""
    return _classified(500, _unwrapped(detail), context)


def _detail(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(parsed, dict) or "error" not in parsed:
        return None
    return _unwrapped(parsed["error"])


def _unwrapped(error: object) -> dict[str, Any]:
    """Return the error as an object with `message`, also out of JSON inside a string."""
    if isinstance(error, str) and error.startswith("{"):
        try:
            # An out-of-memory log line may follow on a line of its own.
            inner: dict[str, Any] = orjson.loads(error.partition("\n")[0])
        except orjson.JSONDecodeError:
            return {"message": error}
        return _unwrapped(inner.get("error", inner))
    if isinstance(error, dict):
        return {**error, "message": str(error.get("message", ""))}
    return {"message": str(error)}


def _classified(
    status: int, detail: dict[str, Any], context: int | None, param: str = "messages"
) -> TensoriaError:
    text = detail["message"]
    if detail.get("type") == "exceed_context_size_error" or _OVERFLOW.search(text):
        return ContextLengthExceeded(
            context=_count(detail.get("n_ctx")) or _number(_CONTEXT_IN_TEXT, text) or context,
            prompt=_count(detail.get("n_prompt_tokens")) or _number(_PROMPT_IN_TEXT, text),
            param=param,
        )
    # A wrong path is a 404 too, and says nothing about a model.
    if status == 404 and "model" in text.lower():
        return ModelNotFound(f"The engine says: {clean(text)}")
    if status == 501:
        return UnsupportedParameter(f"The engine cannot do this: {clean(text)}")
    if status == 400:
        return _request_error(text)
    if status in (429, 503):
        return BackendOverloaded("The engine is busy: its queue is full, or it is still starting.")
    if status in (401, 403):
        return BackendError("The engine refused the gateway's request; its operator has to look.")
    if _LOAD.search(text):
        return ModelLoadFailed(f"The engine could not load the model: {clean(text)}")
    if _REQUEST_AT_FAULT.search(text):
        return _request_error(text)
    return BackendError(f"The engine reported an error: {clean(text)}")


def _request_error(text: str) -> RequestError:
    if _SCHEMA.search(text):
        message = f"The engine cannot hold its answer to this form: {clean(text)}"
        return InvalidRequest(message, param="response_format")
    unsupported = _UNSUPPORTED.search(text)
    if unsupported:
        capability = unsupported[1]
        if capability in (None, "multimodal"):
            capability = "images"
        return UnsupportedParameter(
            f"The model does not support {capability}.",
            param=_PARAM_OF_CAPABILITY.get(capability),
        )
    return InvalidRequest(f"The engine refused the request: {clean(text)}", code="invalid_request")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None


def clean(text: str) -> str:
    """Return an engine's words fit for a client: one line, no address, no path, no flood."""
    line = " ".join(text.partition("\n")[0].split())
    return _PRIVATE.sub("…", line)[:200] or "no reason given"
