"""The one log line of a request."""

import logging
import time
from dataclasses import dataclass
from typing import Protocol

from tensoria.admission.accounts import Account
from tensoria.api.services import this_g
from tensoria.errors import ClientClosed, TensoriaError
from tensoria.logs import Fields, request_id
from tensoria.metrics.base import OTHER, Metrics, NullMetrics
from tensoria.wire.openai import Timings

_log = logging.getLogger("tensoria.request")
_NO_METRICS = NullMetrics()


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
        "_metrics",
        "_started",
        "_written",
        "account",
        "endpoint",
        "fields",
        "first_token_ms",
        "key",
        "method",
        "model",
        "path",
        "queue",
        "state",
        "status",
        "streams",
        "tokens_in",
        "tokens_out",
        "tokens_per_second",
        "turn",
    )

    def __init__(
        self,
        method: str,
        path: str,
        request_id: str,
        address: str | None,
        *,
        endpoint: str = OTHER,
        metrics: Metrics = _NO_METRICS,
    ) -> None:
        self._metrics = metrics
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
        # What metrics have beside the line; see `metrics.Finished`.
        self.endpoint = endpoint
        self.key = ""
        self.model = ""
        self.state = "other"
        self.first_token_ms: float | None = None
        self.tokens_in = self.tokens_out = 0
        self.tokens_per_second: float | None = None

    def elapsed_ms(self) -> float:
        """Return milliseconds since the request's head was read."""
        return round((time.monotonic() - self._started) * 1000, 1)

    def waits(self, position: int) -> None:
        """Note that the request begins to wait for a slot."""
        self.queue = Queued(position)
        self.state = "queued"
        self._metrics.waits(1)

    def waited(self, position: int, seconds: float) -> None:
        """Note that the wait is over, with or without a slot."""
        self.queue = Queued(position, round(seconds * 1000, 1))
        self.fields["queue_ms"] = self.queue.waited_ms
        self._metrics.waits(-1)

    def runs(self, model: str) -> None:
        """Note that the request has a slot of a model."""
        self.model = model
        self.state = "prefill"

    def answers(self) -> float:
        """Note that the answer begins, and return after how many milliseconds it does."""
        self.state = "streaming"
        self.first_token_ms = self.elapsed_ms()
        return self.first_token_ms

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
        self._count_tokens()
        if self.account is not None:
            self._settle(self.account)
        self._metrics.finished(self)
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
        account.settle(self.tokens_in, self.tokens_out, self.elapsed_ms() / 1000)

    def _count_tokens(self) -> None:
        """An engine tells them at the end. Of an answer without one, a chunk is a token out."""
        self.tokens_in = int(self.fields.get("prompt_tokens") or 0)
        told = self.fields.get("completion_tokens")
        if told is None and self.turn is not None:
            told = self.turn.chunks
        self.tokens_out = int(told or 0)


def record() -> Record:
    """Return the current request's record."""
    current: Record = this_g().record
    return current
