"""The error answers, from the tree of errors: one response a status, with the codes in its text."""

from collections.abc import Iterator
from inspect import getdoc
from typing import Any

from apispec import APISpec

from tensoria.errors import ClientClosed, TensoriaError
from tensoria.openapi.answers import to_reference
from tensoria.wire.errors import Envelope

Response = dict[str, Any]

_HEADERS = {
    "Retry-After": "Seconds after which a repeat makes sense, at most 60.",
    "WWW-Authenticate": "How to send a key.",
    "x-should-retry": "false where a repeat would not help; OpenAI's SDKs heed it.",
}
# Our own queue tells it by the request, and so do the limits of a key.
_TOLD_LATER = {429: {"Retry-After"}, 503: {"Retry-After"}}


def responses(spec: APISpec) -> dict[int, Response]:
    """Return the error responses by status; of the statuses, 499 is nobody's to read."""
    found: dict[int, list[type[TensoriaError]]] = {}
    for error in _tree(TensoriaError):
        if error is not ClientClosed:
            found.setdefault(error.status, []).append(error)
    return {status: _response(spec, status, found[status]) for status in sorted(found)}


def _tree(error: type[TensoriaError]) -> Iterator[type[TensoriaError]]:
    yield error
    for each in error.__subclasses__():
        # One that another room or a test has made for itself is no answer of its own.
        if each.__module__ == error.__module__:
            yield from _tree(each)


def _response(spec: APISpec, status: int, errors: list[type[TensoriaError]]) -> Response:
    by_code = {error.code: (getdoc(error) or "").partition("\n")[0] for error in errors}
    names = {name for error in errors for name in error.headers} | _TOLD_LATER.get(status, set())
    response: Response = {
        "description": "  \n".join(f"`{code}`: {said}" for code, said in sorted(by_code.items())),
        "content": {"application/json": {"schema": to_reference(spec, Envelope)}},
    }
    if names:
        response["headers"] = {
            name: {"description": _HEADERS[name], "schema": {"type": "string"}}
            for name in sorted(names)
        }
    return response
