"""Embeddings: OpenAI's request to both kinds of engine, and their vectors to OpenAI's answer.

Sources: Ollama's docs/api.md and recordings of 0.9.6 to 0.32.15; OpenAI's CreateEmbeddingRequest
and CreateEmbeddingResponse.
"""

import math
import re
import struct
from binascii import b2a_base64
from typing import Any

import orjson

from tensoria.errors import (
    BackendError,
    ContextLengthExceeded,
    InvalidRequest,
    TensoriaError,
    UnsupportedParameter,
)
from tensoria.translate.errors import to_error
from tensoria.wire import ollama
from tensoria.wire.openai import Embedding, EmbeddingList, EmbeddingRequest

_NUMBERS = frozenset({float, int})
# The largest float32: a vector beyond it could not be written as base64.
_MOST = 3.4028234663852886e38

_CANNOT = re.compile(rb"does not support embeddings", re.IGNORECASE)
# Ollama from 0.30 on answers 400 also where its own runner failed (server/routes.go, EmbedHandler).
_ENGINE_AT_FAULT = re.compile(rb"NaN or Inf|(?:do|send|reading|unmarshal) embed")
# llama.cpp's words (build 11549) for an input over its batch, as a 500.
_OVER_BATCH = re.compile(rb"input (?:\((\d{1,10}) tokens\) )?is too large to process")
_BATCH = re.compile(rb"current batch size: (\d{1,10})")


def to_ollama(
    request: EmbeddingRequest,
    *,
    model: str,
    keep_alive: str | int | float,
    context_length: int | None,
) -> ollama.EmbedRequest:
    """Return the body for /api/embed; num_ctx goes up as in a chat, with every request or none."""
    body: ollama.EmbedRequest = {
        "model": model,
        "input": request["input"],
        "truncate": False,
        "keep_alive": request.get("keep_alive", keep_alive),
    }
    if "dimensions" in request:
        body["dimensions"] = request["dimensions"]
    if context_length is not None:
        body["options"] = {"num_ctx": context_length}
    return body


def to_openai(request: EmbeddingRequest, *, model: str) -> dict[str, Any]:
    """Return the body for an engine's /embeddings.

    `encoding_format` is not sent: float is its default, and LiteLLM refuses the field for some
    engines.
    """
    body: dict[str, Any] = {"model": model, "input": request["input"]}
    if "dimensions" in request:
        body["dimensions"] = request["dimensions"]
    return body


def from_ollama(answer: bytes, request: EmbeddingRequest) -> tuple[list[list[float]], int]:
    """Return the vectors and the tokens of /api/embed's answer.

    Raises BackendError for anything but one vector an input, InvalidRequest for `dimensions` that
    the model has not. Ollama leaves out a count that is zero.
    """
    told = _object(answer)
    return _vectors(told.get("embeddings"), request), _count(told.get("prompt_eval_count"))


def from_openai(answer: bytes, request: EmbeddingRequest) -> tuple[list[list[float]], int]:
    """Return the vectors, by their `index`, and the tokens of an engine's /embeddings; see above.

    llama.cpp ignores `dimensions`.
    """
    told = _object(answer)
    data, usage = told.get("data"), told.get("usage")
    try:
        by_index = {entry["index"]: entry["embedding"] for entry in data or ()}
        ordered = [by_index[index] for index in range(len(data or ()))]
    except (LookupError, TypeError) as error:
        raise BackendError("The engine's list of embeddings cannot be read.") from error
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return _vectors(ordered, request), _count(tokens)


def to_embedding_list(
    vectors: list[list[float]], prompt_tokens: int, *, model: str, base64: bool
) -> EmbeddingList:
    """Return the answer of POST /v1/embeddings."""
    data: list[Embedding] = [
        {
            "object": "embedding",
            "index": index,
            "embedding": to_base64(vector) if base64 else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens},
    }


def to_base64(vector: list[float]) -> str:
    """Return base64 of little-endian float32, whatever this machine's own order is."""
    return b2a_base64(struct.pack(f"<{len(vector)}f", *vector), newline=False).decode()


def to_embedding_error(
    status: int, body: bytes, *, model: str, context: int | None = None, how_to_get: str = ""
) -> TensoriaError:
    """Return the error for an answer whose status is not 200; `context` (tokens) if it is known."""
    if status == 501 or _CANNOT.search(body):
        return cannot_embed(model, how_to_get)
    if over := _OVER_BATCH.search(body):
        batch = _BATCH.search(body)
        return ContextLengthExceeded(
            context=int(batch[1]) if batch else context,
            prompt=int(over[1]) if over[1] else None,
            param="input",
        )
    if status == 400 and _ENGINE_AT_FAULT.search(body):
        status = 500
    return to_error(status, body, context=context, param="input")


def cannot_embed(model: str, how_to_get: str = "") -> UnsupportedParameter:
    """Return the error for a model that chats, or an engine that was started for chats."""
    return UnsupportedParameter(
        f"The model '{model[:100]}' does not support embeddings here: "
        f"name one that was made for them, such as all-minilm.{how_to_get}",
        param="model",
    )


def does_not_chat(model: str) -> UnsupportedParameter:
    """Return the error for a chat, or a completion, with a model that only embeds."""
    return UnsupportedParameter(
        f"The model '{model[:100]}' does not chat: it was made for POST /v1/embeddings.",
        param="model",
    )


def can_embed(entry: ollama.ModelEntry) -> bool:
    """Tell whether a model may embed; true where the engine (before 0.30) does not say.

    Until then Ollama took vectors out of chat models too.
    """
    capabilities = entry.get("capabilities")
    return not isinstance(capabilities, list) or "embedding" in capabilities


def trained_context(entry: ollama.ModelEntry) -> int | None:
    """Return what a model was trained on, in tokens; only 0.30 and later list it."""
    details: object = entry.get("details")
    tokens = details.get("context_length") if isinstance(details, dict) else None
    return tokens if isinstance(tokens, int) else None


def _object(answer: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise BackendError("The engine's embeddings are not JSON.") from error
    if not isinstance(told, dict):
        raise BackendError("The engine's embeddings are not an object.")
    return told


def _vectors(told: object, request: EmbeddingRequest) -> list[list[float]]:
    asked = len(request["input"])
    if not isinstance(told, list) or len(told) != asked:
        got = len(told) if isinstance(told, list) else "none"
        raise BackendError(f"The engine was asked for {asked} embeddings and sent {got}.")
    if not all(map(_is_vector, told)):
        raise BackendError("The engine sent an embedding that is no list of finite numbers.")
    if len({len(vector) for vector in told}) != 1:
        raise BackendError("The engine sent embeddings of different lengths.")
    return _resized(told, request.get("dimensions"))


def _is_vector(value: object) -> bool:
    """Tell whether this is a list of float32; a NaN comes as null, if it comes at all."""
    if not isinstance(value, list) or not value or not _NUMBERS.issuperset(map(type, value)):
        return False
    return bool(min(value) >= -_MOST and max(value) <= _MOST)


def _resized(vectors: list[list[float]], dimensions: int | None) -> list[list[float]]:
    """Do what an engine that ignores `dimensions` left undone; no engine can add to a vector."""
    length = len(vectors[0])
    if dimensions is None or length == dimensions:
        return vectors
    if length < dimensions:
        raise InvalidRequest(
            f"Invalid value for 'dimensions': this model's embeddings have {length}.",
            param="dimensions",
        )
    return [_cut(vector, dimensions) for vector in vectors]


def _cut(vector: list[float], dimensions: int) -> list[float]:
    """Cut and normalise anew, as Ollama 0.11.11 and later do."""
    kept = vector[:dimensions]
    length = math.hypot(*kept)
    return [number / length for number in kept] if length else kept


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
