"""What was not honoured exactly as asked, told in headers."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Response, g

from tensoria.admission.callers import END_USER_FIELDS
from tensoria.api.record import record
from tensoria.api.services import backend, explains, is_on, key, strict
from tensoria.logs import Fields
from tensoria.schemas.base import Loaded
from tensoria.schemas.support import narrow, table
from tensoria.wire.openai import Timings

MAX_NAMES = 20
MAX_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Notices:
    """What is told of one answer beside the answer itself."""

    ignored: tuple[str, ...] = ()
    verbose: bool = False
    # What an endpoint that is translated to a chat calls the fields that were adjusted.
    names: Callable[[str], str] = str

    def tell(self, response: Response, adjusted: Mapping[str, str], timings: Timings) -> None:
        """Set the headers, and note for the log line what was adjusted."""
        if self.ignored:
            response.headers["X-Tensoria-Ignored"] = to_header(self.ignored)
        if adjusted:
            changes = to_changes(self._named(adjusted))
            response.headers["X-Tensoria-Adjusted"] = changes
            record().fields["adjusted"] = changes
        if timings:
            response.headers["Server-Timing"] = to_server_timing(timings)

    def member(self, adjusted: Mapping[str, str], timings: Timings) -> dict[str, Any]:
        """Return the answer's member `tensoria`, which X-Tensoria-Verbose asks for."""
        return {"ignored": self.ignored, "adjusted": self._named(adjusted), "timings": timings}

    def _named(self, adjusted: Mapping[str, str]) -> dict[str, str]:
        return {self.names(name): value for name, value in adjusted.items()}


def notices(schema: Any, loaded: Loaded[Any]) -> Notices:
    """Find what the engine in use ignores of a request; raises for what it cannot honour."""
    model = loaded.request.get("model")
    ignored = narrow(schema, loaded, lambda: backend().traits(model), strict=strict())
    used = key()
    if used is not None and used.end_users:
        # Here they tell callers apart.
        heard = loaded.request.keys() & END_USER_FIELDS
        ignored = tuple(name for name in ignored if name not in heard)
    if ignored:
        record().fields |= to_log(ignored, known=table(schema).keys())
    if explains():
        g.ignored = ignored
    return Notices(ignored, verbose=is_on("HTTP_X_TENSORIA_VERBOSE"))


def to_log(names: Iterable[str], *, known: Container[str]) -> Fields:
    """Return what the log line has of ignored names: those of fields that we know.

    Of the others it has the number alone, and of a field's members the field: a client may put
    anything into a name, a prompt too.
    """
    told: set[str] = set()
    unknown = 0
    for name in names:
        field = name.partition(".")[0].partition("[")[0]
        if field in known:
            told.add(name if name in known else f"{field}.*")
        else:
            unknown += 1
    fields: Fields = {"ignored": ",".join(sorted(told))} if told else {}
    return fields | ({"ignored_unknown": unknown} if unknown else {})


def to_server_timing(timings: Timings) -> str:
    """Write the phases as a Server-Timing header (w3.org/TR/server-timing), in milliseconds."""
    return ", ".join(
        f"{name.removesuffix('_ms')};dur={value:g}"
        for name, value in timings.items()
        if name.endswith("_ms")
    )


def to_changes(adjusted: Mapping[str, str]) -> str:
    """Return what was adjusted as the header and the log line have it."""
    return to_header([f"{name}={value}" for name, value in adjusted.items()])


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
