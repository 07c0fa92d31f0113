"""A stream whose headers leave before its answer has begun."""

from collections.abc import Callable
from typing import Generic, Self

from tensoria.api.encoding import Encoding
from tensoria.api.error_handlers import to_tensoria_error
from tensoria.api.events import Events
from tensoria.api.opening import Opened, Opening
from tensoria.api.record import Record
from tensoria.api.services import Client
from tensoria.backends.base import AnyChunk
from tensoria.errors import RequestEnded


class LateEvents(Generic[AnyChunk]):
    """The response's iterable: a heartbeat, which takes the headers along, and then the answer's.

    What the opening raises is an error event: its status has left as 200.
    """

    def __init__(
        self,
        opening: Opening[AnyChunk],
        begin: Callable[[Opened[AnyChunk]], Events[AnyChunk]],
        encoding: Encoding[AnyChunk],
        current: Record,
        watched: Client,
    ) -> None:
        self._opening = opening
        self._begin = begin
        self._encoding = encoding
        self._record = current
        self._client = watched
        self._events: Events[AnyChunk] | None = None
        self._begun = False
        self._over = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._events is not None:
            return next(self._events)
        if self._over:
            raise StopIteration
        if not self._begun:
            self._begun = True
            return self._encoding.heartbeat
        return self._wait()

    def close(self) -> None:
        """Called by the server in every case; frees the engine if the client left early."""
        if self._events is not None:
            self._events.close()
            return
        if not self._over or self._client.unread():
            self._record.left()
        if self._over:
            self._client.stop_watching()
        else:
            self._over = True
            self._opening.abandon()
        self._record.write()

    def _wait(self) -> bytes:
        try:
            opened = self._opening.take()
        except (Exception, RequestEnded) as error:  # noqa: BLE001  # not to end without a word
            self._over = True
            self._client.stop_watching()
            failure = to_tensoria_error(error)
            self._record.failed(failure)
            return self._encoding.encode_error(failure)
        assert opened is not None  # noqa: S101  # says it to mypy; it waits for as long as it takes
        self._events = self._begin(opened)
        return next(self._events)
