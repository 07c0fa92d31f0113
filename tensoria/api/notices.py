"""What was not honoured exactly as asked, told in headers."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from flask import Response

from tensoria.api.record import record
from tensoria.api.services import services, strict
from tensoria.schemas.base import Loaded
from tensoria.schemas.support import narrow

MAX_NAMES = 20
MAX_BYTES = 1024


def narrowed(schema: type[Any], loaded: Loaded[Any]) -> tuple[str, ...]:
    """Name what the engine in use ignores of a request; raises for what it cannot honour."""
    backend, model = services().backend, loaded.request.get("model")
    return narrow(schema, loaded, lambda: backend.traits(model), strict=strict())


def tell(response: Response, ignored: Sequence[str], adjusted: Mapping[str, str]) -> None:
    """Set X-Tensoria-Ignored and X-Tensoria-Adjusted, and note them for the log line.

    Of what was ignored the log has the number alone: a client may put anything into a name.
    """
    if ignored:
        response.headers["X-Tensoria-Ignored"] = to_header(ignored)
        record().fields["ignored"] = len(ignored)
    if adjusted:
        changes = to_header([f"{name}={value}" for name, value in adjusted.items()])
        response.headers["X-Tensoria-Adjusted"] = changes
        record().fields["adjusted"] = changes


def to_header(names: Sequence[str]) -> str:
    """Join names that a client may have made up: percent-encoded, and cut with `...`."""
    taken: list[str] = []
    size = 0
    for name in names:
        # "[" and "=" stand in our own names.
        encoded = quote(name[:MAX_BYTES], safe="._-[]=")
        size += len(encoded) + 1
        if len(taken) == MAX_NAMES or size > MAX_BYTES:
            return ",".join([*taken, "..."])
        taken.append(encoded)
    return ",".join(taken)
