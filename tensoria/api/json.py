"""JSON in and out, by orjson."""

from typing import Any

import orjson
from flask import Response, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from tensoria.api.services import client, services, this_request
from tensoria.errors import InvalidRequest, UnsupportedMediaType


def json_body() -> Any:
    """Return the request's parsed body, or raise the error that says why it is none.

    The content type has to say JSON: a browser sends anything else to a service on localhost
    without asking it first (CORS "simple requests").
    """
    if request.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without a Content-Encoding.")
    if not _says_json():
        raise UnsupportedMediaType("Send the body as JSON, with 'Content-Type: application/json'.")
    try:
        return orjson.loads(_data())
    except orjson.JSONDecodeError as error:
        # Its message names a place and a kind, never the text that stands there.
        raise InvalidRequest(
            f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).",
            code="invalid_json",
        ) from None


def _says_json() -> bool:
    # Nearly all clients send exactly this; parsing its parameters has a price.
    if request.environ.get("CONTENT_TYPE") == "application/json":
        return True
    return request.mimetype == "application/json" or request.mimetype.endswith("+json")


def _data() -> bytes:
    data = _body()
    # Only now: while the body comes, its end is for werkzeug to judge.
    client().watch()
    return data


def _body() -> bytes:
    asked = this_request()
    length, most = asked.content_length, services().settings.max_body_bytes
    if length is not None and length <= most:
        # What werkzeug's own stream guards against, all but an end too early, is ruled out.
        try:
            data: bytes = asked.environ["wsgi.input"].read(length)
        except OSError:
            data = b""
        if len(data) < length:
            raise ClientDisconnected
        return data
    data = asked.get_data(cache=False)
    # Of a body that does not tell its length werkzeug reads as much as is allowed, and then stops
    # without a word.
    if length is None and len(data) >= most:
        raise RequestEntityTooLarge
    return data


class JsonResponse(Response):
    """A JSON body that is whole, and whose headers leave as they are."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        """Called for each response; what werkzeug corrects (Location, 204, 304) is none of ours."""
        return self.headers


def json_response(body: object, status: int = 200) -> Response:
    """Return a body as a JSON answer."""
    return JsonResponse(orjson.dumps(body), status, content_type="application/json")
