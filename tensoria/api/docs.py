"""The API's documentation: /openapi.json, and the pages that show it.

`create_app` registers the blueprint only while no key is set. Everything that the pages need comes
with the package (static/README.md), and their policy keeps the browser from any other host.
"""

import gzip
from functools import cache
from importlib.resources import files

from flask import Blueprint, Response, request

from tensoria import __version__
from tensoria.api.json import json_response
from tensoria.errors import NotFound
from tensoria.openapi.document import build

bp = Blueprint("docs", __name__)

_TYPES = {"js": "text/javascript", "css": "text/css"}
# As they are served; the large ones are kept compressed.
_ASSETS = frozenset(
    {"swagger-ui-bundle.js", "swagger-ui.css", "swagger.js", "redoc.standalone.js", "redoc.js"}
)
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # Both pages write styles as they run.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        # Redoc's search.
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@bp.get("/openapi.json")
def show_document() -> Response:
    """Return the OpenAPI 3.1 document."""
    return json_response(_document())


@bp.get("/docs")
def show_swagger() -> Response:
    """Show the document in Swagger UI, which sends requests to try it."""
    return _page("swagger.html")


@bp.get("/redoc")
def show_redoc() -> Response:
    """Show the document in Redoc, to be read."""
    return _page("redoc.html")


@bp.get("/docs/assets/<name>")
def send_asset(name: str) -> Response:
    """Return a script or a style of the pages, compressed where the browser takes that."""
    if name not in _ASSETS:
        raise NotFound(f"{request.path[:100]} does not exist here.")
    compressed = _compressed(name)
    takes_it = request.accept_encodings.quality("gzip") > 0
    body = compressed if takes_it else gzip.decompress(compressed)
    response = Response(body, mimetype=_TYPES[name.rpartition(".")[2]])
    if takes_it:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.add_etag()
    response.make_conditional(request)
    return response


def _page(name: str) -> Response:
    response = Response(_read(name), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@cache
def _document() -> dict[str, object]:
    return build(__version__)


@cache
def _compressed(name: str) -> bytes:
    static = files("tensoria.api") / "static"
    kept = static / f"{name}.gz"
    return kept.read_bytes() if kept.is_file() else gzip.compress(_read(name), mtime=0)


@cache
def _read(name: str) -> bytes:
    return (files("tensoria.api") / "static" / name).read_bytes()
