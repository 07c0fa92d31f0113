"""GET /v1/compat: what becomes of every field at the engine in use."""

from flask import Blueprint, Response, request

from tensoria.api.json import json_response
from tensoria.api.services import backend
from tensoria.errors import ModelNotFound
from tensoria.schemas.endpoints import compatibility
from tensoria.translate.traits import Traits

bp = Blueprint("compat", __name__, url_prefix="/v1")


@bp.get("/compat")
def show_compatibility() -> Response:
    """Show the table for one model (`?model=`, else the default one), as its engine has it."""
    traits = _traits(request.args.get("model"))
    version = ".".join(map(str, traits.version)) if traits.version else None
    capabilities = None if traits.capabilities is None else sorted(traits.capabilities)
    return json_response(
        {
            "object": "compat",
            "engine": {"kind": traits.kind, "version": version},
            "model": {"id": traits.model, "capabilities": capabilities} if traits.model else None,
            "endpoints": compatibility(traits),
        }
    )


def _traits(model: str | None) -> Traits:
    """Without a default model the table is the engine's: nobody asked for a model by name."""
    try:
        return backend().traits(model)
    except ModelNotFound:
        if model:
            raise
        return backend().traits_of_engine()
