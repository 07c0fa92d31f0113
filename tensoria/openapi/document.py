"""The document itself: every path, put together."""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from tensoria.openapi import failures, kept, operations
from tensoria.openapi.fields import to_property

_DESCRIPTION = """\
OpenAI's API, and Anthropic's messages, in front of open models on a machine of your own.

Every field says what becomes of it at each kind of engine (`x-tensoria-support`): *honoured*,
*emulated*, *approximated*, *ignored* (and then named in `X-Tensoria-Ignored`) or *refused* (400).
For the engine and the model in use ask `GET /v1/compat`. Null counts as absent, and fields that are
not listed are ignored with notice.

Every error has OpenAI's envelope, below `/v1/messages` Anthropic's. A stream ends in its finish
chunk and `[DONE]` (a message's in `message_stop`), or in an error.

This page and the document behind it are served only while no API key is set.
"""
_SCHEMES = {
    "Bearer": {"type": "http", "scheme": "bearer"},
    "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def build(version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the service in this version."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title="Tensoria",
        version=version,
        openapi_version="3.1.0",
        info={"description": _DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": "/"}],
        # Without a key all is open; with one, either header will do.
        security=[{}, *({name: []} for name in _SCHEMES)],
        plugins=[plugin],
    )
    assert plugin.converter is not None  # noqa: S101  # says it to mypy: APISpec has just made it
    plugin.converter.attribute_functions = [to_property]
    for name, scheme in _SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    errors = failures.responses(spec)
    for status, response in errors.items():
        spec.components.response(f"Error{status}", response)
    operations.add(spec, errors)
    kept.add(spec, errors)
    return spec.to_dict()
