"""POST /v1/embeddings."""

from flask import Blueprint, Response

from tensoria.api.json import json_body, json_response
from tensoria.api.notices import narrowed, tell
from tensoria.api.record import record
from tensoria.api.services import client, services
from tensoria.errors import ClientClosed
from tensoria.schemas import embeddings as schema
from tensoria.translate.embeddings import to_embedding_list

bp = Blueprint("embeddings", __name__, url_prefix="/v1")


@bp.post("/embeddings")
def create_embedding() -> Response:
    """Answer with one vector for each input, in their order."""
    loaded = schema.load(json_body())
    ignored = narrowed(schema.EmbeddingSchema, loaded)
    request = loaded.request
    embedded = services().backend.embed(request)
    record().fields["model"] = embedded.model
    record().fields["prompt_tokens"] = embedded.prompt_tokens
    if client().gone():
        raise ClientClosed
    answer = to_embedding_list(
        embedded.vectors,
        embedded.prompt_tokens,
        model=request.get("model") or embedded.model,
        base64=request.get("encoding_format") == "base64",
    )
    response = json_response(answer)
    tell(response, ignored, {})
    return response
