"""The one log line of a request."""

import logging
import time

from flask import g

from tensoria.logs import Fields, request_id

_log = logging.getLogger("tensoria.request")


class Record:
    """What is known of a request so far; written once, when its answer is over.

    No body, no query string and no header of the request is ever put here.
    """

    __slots__ = ("_started", "_written", "fields", "method", "path", "status", "streams")

    def __init__(self, method: str, path: str, request_id: str, address: str | None) -> None:
        self._started = time.monotonic()
        self._written = False
        self.method = method
        self.path = path[:200]
        self.status = 500
        self.streams = False
        self.fields: Fields = {"request_id": request_id, "client": address}

    def elapsed_ms(self) -> float:
        """Return milliseconds since the request's head was read."""
        return round((time.monotonic() - self._started) * 1000, 1)

    def write(self) -> None:
        """Write the line; a second call does nothing."""
        if self._written:
            return
        self._written = True
        request_id.set(None)
        level = logging.INFO if self.status < 500 else logging.WARNING
        if not _log.isEnabledFor(level):
            return
        self.fields["status"] = self.status
        self.fields["duration_ms"] = self.elapsed_ms()
        message = f"{self.method} {self.path} {self.status}"
        _log.log(level, message, extra={"fields": self.fields})


def record() -> Record:
    """Return the current request's record."""
    current: Record = g.record
    return current
