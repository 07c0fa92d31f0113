"""GET /v1/models and GET /v1/models/{id}, for OpenAI's clients and for Anthropic's."""

from flask import Blueprint, Response, request

from tensoria.api.dialect import speaks_anthropic
from tensoria.api.json import json_response
from tensoria.api.services import backend
from tensoria.errors import InvalidRequest
from tensoria.translate.message_models import to_model_info, to_model_page
from tensoria.wire.openai import ModelList

bp = Blueprint("models", __name__, url_prefix="/v1")

# Of one page, as Anthropic's.
_PAGE = "20"
_MOST = 1000


@bp.get("/models")
def list_models() -> Response:
    """List what the engine has installed; an empty list is a list, not null."""
    if speaks_anthropic():
        return _page()
    models: ModelList = {"object": "list", "data": backend().models()}
    return json_response(models)


@bp.get("/models/<path:model_id>")
def retrieve_model(model_id: str) -> Response:
    """Return one model; the id may hold slashes (hf.co/…) and a tag."""
    model = backend().model(model_id)
    return json_response(to_model_info(model) if speaks_anthropic() else model)


def _page() -> Response:
    limit = request.args.get("limit") or _PAGE
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= _MOST):
        message = f"Invalid value for 'limit': expected a number from 1 to {_MOST}."
        raise InvalidRequest(message, param="limit")
    page = to_model_page(
        backend().models(),
        limit=int(limit),
        after=request.args.get("after_id"),
        before=request.args.get("before_id"),
    )
    return json_response(page)
