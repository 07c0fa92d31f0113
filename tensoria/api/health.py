"""Is the service up (/health), can it work (/ready), and what is it (/)."""

from flask import Blueprint, Response, request

from tensoria import __version__
from tensoria.api.json import json_response
from tensoria.api.services import services
from tensoria.errors import ServiceStopping, TensoriaError

bp = Blueprint("health", __name__)


@bp.get("/health")
def health() -> Response:
    """Answer without touching the engine, in exactly these bytes: probes compare them."""
    return Response(b'{"status": "ok"}', mimetype="application/json")


@bp.get("/ready")
def ready() -> Response:
    """Tell whether the engine answers and the service goes on; warnings alone do not count."""
    try:
        if request.environ.get("tensoria.stopping"):
            raise ServiceStopping("The service is stopping.")
        status = services().backend.status()
    except TensoriaError as error:
        return json_response({"status": "unavailable", **error.envelope()}, 503)
    engine = {"kind": status.kind, "version": status.version}
    return json_response({"status": "ready", "engine": engine, "warnings": status.warnings})


@bp.get("/")
def index() -> Response:
    """Name the service and where its parts are."""
    links = {
        "models": "/v1/models",
        "chat": "/v1/chat/completions",
        "completions": "/v1/completions",
        "embeddings": "/v1/embeddings",
        "messages": "/v1/messages",
        "compat": "/v1/compat",
        "health": "/health",
        "ready": "/ready",
    }
    return json_response({"name": "Tensoria", "version": __version__, "links": links})
