"""POST /v1/embeddings."""

from flask import Blueprint, Response

from tensoria.api.json import json_body, json_response
from tensoria.api.notices import notices
from tensoria.api.record import record
from tensoria.api.services import client, engine
from tensoria.api.turns import enter
from tensoria.errors import ClientClosed
from tensoria.schemas import embeddings as schema
from tensoria.translate.embeddings import to_embedding_list
from tensoria.wire.openai import Timings

bp = Blueprint("embeddings", __name__, url_prefix="/v1")


@bp.post("/embeddings")
def create_embedding() -> Response:
    """Answer with one vector for each input, in their order."""
    loaded = schema.load(json_body())
    told = notices(schema.EmbeddingSchema, loaded)
    request = loaded.request
    with enter(lambda backend: backend.embed(request), request, embeds=True):
        embedded = engine().embed(request)
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
    timings: Timings = {**record().queue_timings(), "total_ms": record().elapsed_ms()}
    extra = {"tensoria": told.member(embedded.adjusted, timings)} if told.verbose else {}
    response = json_response({**answer, **extra})
    told.tell(response, embedded.adjusted, timings)
    return response
