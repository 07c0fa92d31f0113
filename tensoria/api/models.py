"""GET /v1/models and GET /v1/models/{id}."""

from flask import Blueprint, Response

from tensoria.api.json import json_response
from tensoria.api.services import backend
from tensoria.wire.openai import ModelList

bp = Blueprint("models", __name__, url_prefix="/v1")


@bp.get("/models")
def list_models() -> Response:
    """List what the engine has installed; an empty list is a list, not null."""
    models: ModelList = {"object": "list", "data": backend().models()}
    return json_response(models)


@bp.get("/models/<path:model_id>")
def retrieve_model(model_id: str) -> Response:
    """Return one model; the id may hold slashes (hf.co/…) and a tag."""
    return json_response(backend().model(model_id))
