"""Embeddings through the /embeddings of an engine that speaks OpenAI."""

from tensoria.backends.base import Embedded
from tensoria.backends.limits import Total, limits_of
from tensoria.backends.ollama_embeddings import MAX_ANSWER_BYTES
from tensoria.backends.stream import MAX_ERROR_BYTES
from tensoria.backends.transport import AnyTransport
from tensoria.config import EMBEDDED_LABEL, Settings
from tensoria.errors import ModelNotFound, TensoriaError
from tensoria.translate.embeddings import (
    cannot_embed,
    from_openai,
    to_embedding_error,
    to_openai,
)
from tensoria.wire.openai import EmbeddingRequest

_HOW_TO_GET = " `tensoria up --embeddings` starts the embedded engine with one that embeds."


def how_to_get(settings: Settings) -> str:
    """Say what brings a model that embeds, where it is the embedded engine that has none."""
    has_none = settings.engine_label == EMBEDDED_LABEL and not settings.embeddings_base_url
    return _HOW_TO_GET if has_none else ""


def embed(
    transport: AnyTransport, settings: Settings, model: str, request: EmbeddingRequest
) -> Embedded:
    """See `Backend.embed`; every vector has to be there within OLLAMA_TIMEOUT."""
    with transport.open(
        "/embeddings",
        to_openai(request, model=model),
        limits_of(settings, Total.of(settings.total_timeout_seconds)),
    ) as body:
        if body.status != 200:
            raise _refused(body.status, body.read_all(MAX_ERROR_BYTES), model, how_to_get(settings))
        body.flowing()
        answer = body.read_all(MAX_ANSWER_BYTES)
    vectors, prompt_tokens = from_openai(answer, request)
    return Embedded(model, vectors, prompt_tokens)


def _refused(status: int, text: bytes, model: str, how: str) -> TensoriaError:
    error = to_embedding_error(status, text, model=model, how_to_get=how)
    # The engine lists its models at this address, so what is missing is the endpoint: vLLM leaves
    # it out when its model chats.
    if status in (404, 405) and not isinstance(error, ModelNotFound):
        return cannot_embed(model, how)
    return error
