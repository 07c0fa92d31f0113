"""The events of a response that runs in the background, for as many as follow it."""

import time
from typing import Protocol, Self

from flask import Response, request

from tensoria.api.encoding import COMMENT
from tensoria.api.error_handlers import to_tensoria_error
from tensoria.api.record import Record, record
from tensoria.api.response_encoding import to_line, to_sse
from tensoria.api.services import Client, client, services
from tensoria.errors import ClientClosed, NotFound, RequestEnded, TensoriaError
from tensoria.memory import events
from tensoria.memory.events import Event
from tensoria.memory.responses import UnknownResponse
from tensoria.memory.runs import LOOK_SECONDS
from tensoria.memory.store import Memory

# A server that adds no heartbeats is asked so often whether anybody still reads.
_SILENT_SECONDS = 15.0


class Source(Protocol):
    """Where events come from."""

    def after(self, number: int, seconds: float) -> tuple[list[Event], bool]:
        """Return those behind one, and whether the last is among them or was before.

        Waits at most so long for the first.
        """
        ...


class KeptEvents:
    """The events in the file, of a response that another worker runs, or that is over."""

    def __init__(self, memory: Memory, owner: str, response_id: str) -> None:
        self._memory = memory
        self._owner = owner
        self._id = response_id

    def after(self, number: int, seconds: float) -> tuple[list[Event], bool]:
        """See `Source.after`; raises StorageUnavailable, and NotFound if it was deleted."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                kept = self._memory.find(self._owner, self._id)
            except UnknownResponse:
                raise NotFound(f"Response with id '{self._id}' not found any more.") from None
            # In this order: what is over has all of its events.
            found = self._memory.read(lambda db: events.after(db, self._id, number))
            over = kept.worker is None
            if over and not found:
                found = self._memory.read(lambda db: events.after(db, self._id, -1))[-1:]
                # The worker that died had said more than it could keep.
                found = [{**each, "sequence_number": number + 1} for each in found]
            if found or over or time.monotonic() > deadline:
                return found, over
            time.sleep(LOOK_SECONDS)


class Following:
    """The response's iterable: from an event on to the last, and then the end."""

    def __init__(
        self, source: Source, number: int, current: Record, watched: Client, *, ndjson: bool
    ) -> None:
        self._source = source
        self._number = number
        self._record = current
        self._client = watched
        self._encode = to_line if ndjson else to_sse
        self._over = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        try:
            found, self._over = self._source.after(self._number, _SILENT_SECONDS)
            if self._client.gone():
                raise ClientClosed
        except (Exception, RequestEnded) as error:  # noqa: BLE001  # not to end without a word
            return self._failed(to_tensoria_error(error))
        if not found:
            return b"" if self._over else COMMENT
        self._number = found[-1]["sequence_number"]
        return b"".join([self._encode(each) for each in found])

    def close(self) -> None:
        """Called by the server in every case; the response itself goes on."""
        self._client.stop_watching()
        if not self._over or self._client.unread():
            self._over = True
            self._record.left()
        self._record.write()

    def _failed(self, error: TensoriaError) -> bytes:
        """What ends here is not the response, so that its own last event would be a lie."""
        self._over = True
        self._client.stop_watching()
        self._record.failed(error)
        told = {"code": error.code, "message": error.message, "param": error.param}
        return self._encode({"type": "error", "sequence_number": self._number + 1, **told})


def follow(owner: str, response_id: str, number: int) -> Response:
    """Return a stream of the events behind one, of a response that is there."""
    run = services().runs.get(owner, response_id)
    source: Source = run or KeptEvents(services().memory, owner, response_id)
    ndjson = "application/x-ndjson" in request.headers.get("Accept", "")
    watched, current = client(), record()
    watched.keep_watching()
    current.streams = True
    following = Following(source, number, current, watched, ndjson=ndjson)
    mimetype = "application/x-ndjson" if ndjson else "text/event-stream"
    response = Response(following, mimetype=mimetype, direct_passthrough=True)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    seconds = services().settings.stream_heartbeat_seconds
    if seconds:
        watched.heartbeat(seconds, b"\n" if ndjson else COMMENT)
    return response
