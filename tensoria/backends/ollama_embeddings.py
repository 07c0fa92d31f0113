"""Embeddings through Ollama's /api/embed: one call for all inputs of a request."""

from contextlib import suppress

from tensoria.backends import overflow
from tensoria.backends.base import Embedded
from tensoria.backends.body import Body
from tensoria.backends.limits import Limits
from tensoria.backends.ollama_client import OllamaClient
from tensoria.backends.ollama_models import OllamaModels
from tensoria.backends.stream import MAX_ERROR_BYTES
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.translate.embeddings import (
    from_ollama,
    to_embedding_error,
    to_ollama,
    trained_context,
)
from tensoria.wire import ollama
from tensoria.wire.openai import EmbeddingRequest

# 2048 vectors of 4096 numbers, at 13 bytes each, and then some.
MAX_ANSWER_BYTES = 128 * 1024 * 1024


def embed(
    client: OllamaClient,
    models: OllamaModels,
    settings: Settings,
    entry: ollama.ModelEntry,
    request: EmbeddingRequest,
    limits: Limits,
) -> Embedded:
    """See `Backend.embed`; every vector has to be there within the time for the first token."""
    model = entry["name"]
    payload = to_ollama(
        request, model=model, keep_alive=settings.keep_alive, context_length=settings.context_length
    )
    body, adjusted = overflow.sent(
        payload,
        lambda payload: client.embed(payload, limits),
        lambda body: _refused(body, models, entry),
        may_cut=settings.context_overflow == "truncate",
    )
    with body:
        body.flowing()
        answer = body.read_all(MAX_ANSWER_BYTES)
    vectors, prompt_tokens = from_ollama(answer, request)
    return Embedded(model, vectors, prompt_tokens, adjusted)


def _refused(body: Body, models: OllamaModels, entry: ollama.ModelEntry) -> TensoriaError:
    with body:
        text = body.read_all(MAX_ERROR_BYTES)
    context = _context(models, entry) if body.status == 400 else None
    return to_embedding_error(body.status, text, model=entry["name"], context=context)


def _context(models: OllamaModels, entry: ollama.ModelEntry) -> int | None:
    """Return the context in tokens, for the message of an overflow alone.

    An embedding model is often trained on 512 tokens, whatever OLLAMA_CONTEXT_LENGTH says.
    """
    known = [trained_context(entry)]
    with suppress(TensoriaError):
        known.append(models.context_in_use(entry["name"], now=True))
    return min((tokens for tokens in known if tokens), default=None)
