"""The one log line of a request."""

import logging
import time
from dataclasses import dataclass
from typing import Protocol

from flask import g

from tensoria.admission.accounts import Account
from tensoria.errors import ClientClosed, TensoriaError
from tensoria.logs import Fields, request_id
from tensoria.wire.openai import Timings

_log = logging.getLogger("tensoria.request")


@dataclass(frozen=True, slots=True)
class Queued:
    """How a request waits: which one it was to run when it came, and how long it took, if over."""

    position: int
    waited_ms: float | None = None


class Counted(Protocol):
    """How many chunks of an answer have come."""

    chunks: int


class Record:
    """What is known of a request so far; written once, when its answer is over.

    No body, no query string and no header of the request is ever put here.
    """

    __slots__ = (
        "_started",
        "_written",
        "account",
        "fields",
        "method",
        "path",
        "queue",
        "status",
        "streams",
        "turn",
    )

    def __init__(self, method: str, path: str, request_id: str, address: str | None) -> None:
        self._started = time.monotonic()
        self._written = False
        self.method = method
        self.path = path[:200]
        self.status = 500
        self.streams = False
        self.queue: Queued | None = None
        self.account: Account | None = None
        self.turn: Counted | None = None
        self.fields: Fields = {"request_id": request_id, "client": address}

    def elapsed_ms(self) -> float:
        """Return milliseconds since the request's head was read."""
        return round((time.monotonic() - self._started) * 1000, 1)

    def waits(self, position: int) -> None:
        """Note that the request begins to wait for a slot."""
        self.queue = Queued(position)

    def waited(self, position: int, seconds: float) -> None:
        """Note that the wait is over, with or without a slot."""
        self.queue = Queued(position, round(seconds * 1000, 1))
        self.fields["queue_ms"] = self.queue.waited_ms

    def queue_timings(self) -> Timings:
        """Return the wait, if there was one."""
        waited_ms = None if self.queue is None else self.queue.waited_ms
        return {} if waited_ms is None else {"queue_ms": waited_ms}

    def failed(self, error: TensoriaError) -> None:
        """Note that a stream ends with an error, whatever status has left."""
        self.status = error.status
        self.fields["error"] = error.code

    def left(self) -> None:
        """Note that the client did not take its whole stream; a failure before that counts more."""
        if self.status < 400:
            self.status = ClientClosed.status

    def write(self) -> None:
        """Write the line; a second call does nothing."""
        if self._written:
            return
        self._written = True
        if self.account is not None:
            self._settle(self.account)
        request_id.set(None)
        level = logging.INFO if self.status < 500 else logging.WARNING
        if not _log.isEnabledFor(level):
            return
        self.fields["status"] = self.status
        self.fields["duration_ms"] = self.elapsed_ms()
        message = f"{self.method} {self.path} {self.status}"
        _log.log(level, message, extra={"fields": self.fields})

    def opens(self, account: Account) -> None:
        """Note what is settled when the line is written; at once, if that was before.

        An opening that was abandoned may come so far late.
        """
        self.account = account
        if self._written:
            self._settle(account)

    def _settle(self, account: Account) -> None:
        tokens_in = int(self.fields.get("prompt_tokens") or 0)
        tokens_out = self.fields.get("completion_tokens")
        if tokens_out is None and self.turn is not None:
            # Of an answer that did not come to its end the engine told nothing. A chunk is a token.
            tokens_out = self.turn.chunks
        account.settle(tokens_in, int(tokens_out or 0), self.elapsed_ms() / 1000)


def record() -> Record:
    """Return the current request's record."""
    current: Record = g.record
    return current
