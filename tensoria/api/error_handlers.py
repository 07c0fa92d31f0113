"""Every failure becomes OpenAI's envelope: ours, Flask's, and the ones nobody foresaw.

On Anthropic's paths it becomes Anthropic's.
"""

import logging

from flask import Flask, Response, g, request
from werkzeug.exceptions import (
    HTTPException,
    RequestEntityTooLarge,
)
from werkzeug.exceptions import (
    MethodNotAllowed as WerkzeugMethodNotAllowed,
)
from werkzeug.exceptions import (
    NotFound as WerkzeugNotFound,
)

from tensoria.api.dialect import envelope
from tensoria.api.json import json_response
from tensoria.api.paths import describe_missing
from tensoria.api.record import record
from tensoria.api.services import services
from tensoria.backends.base import Explained
from tensoria.errors import (
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RequestEnded,
    RequestTooLarge,
    TensoriaError,
)

_log = logging.getLogger("tensoria.api")


def install(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(Explained, _explanation)
    app.register_error_handler(TensoriaError, error_response)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, internal_error_response)


def error_response(error: TensoriaError) -> Response:
    """Return the answer for an error of ours."""
    record().fields["error"] = error.code
    response = json_response(envelope(error), error.status)
    response.headers.update(error.headers)
    return response


def internal_error_response(error: Exception) -> Response:
    """Answer for a fault of ours: the log names its class and place, the client gets neither."""
    return error_response(internal_error(error))


def internal_error(error: Exception) -> InternalError:
    """Log a fault of ours and return what the client may know of it."""
    _log.error("internal error", exc_info=error)
    return InternalError("Something went wrong inside the service; its log names the place.")


def to_tensoria_error(error: Exception | RequestEnded) -> TensoriaError:
    """Return what the client of a stream is told of what ended it."""
    if isinstance(error, RequestEnded):
        return error.error
    return error if isinstance(error, TensoriaError) else internal_error(error)


def _explanation(explained: Explained) -> Response:
    """Answer a request that asked what would be sent (X-Tensoria-Explain)."""
    return json_response(
        {
            "object": "explanation",
            "engine": {"method": "POST", "path": explained.path, "body": explained.body},
            "runs": g.runs,
            "ignored": g.ignored,
            "adjusted": explained.adjusted,
        }
    )


def _http_exception(error: HTTPException) -> Response:
    response = error_response(_translated(error))
    if isinstance(error, WerkzeugMethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _base_url() -> str:
    """Return ours as the client reaches it; a Host header that is none leaves no host to name."""
    return f"{request.scheme}://{request.host[:100]}/v1" if request.host else "/v1"


def _translated(error: HTTPException) -> TensoriaError:
    if isinstance(error, WerkzeugNotFound):
        return NotFound(describe_missing(request.path, _base_url()))
    if isinstance(error, WerkzeugMethodNotAllowed):
        return MethodNotAllowed(f"{request.path[:200]} does not take {request.method[:20]}.")
    if isinstance(error, RequestEntityTooLarge):
        limit = services().settings.max_body_bytes / 1024 / 1024
        return RequestTooLarge(f"The body is longer than {limit:g} MB (MAX_BODY_MB).")
    return InvalidRequest("The request cannot be read.", code="invalid_request")
