"""How the events of a response look on the wire, and how they add up to a whole one.

Source: platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Callable
from typing import Any, cast

import orjson

from tensoria.api.encoding import COMMENT
from tensoria.errors import TensoriaError
from tensoria.translate.response_events import ToEvents
from tensoria.translate.responses import reword
from tensoria.wire.openai import Chunk
from tensoria.wire.responses import Event, Response

# Called with the ended object, once, before anybody is told of it; returns what may be told.
Keep = Callable[[Response], Response]


def to_sse(event: Event) -> bytes:
    """Return an event with its name, which is its type."""
    name: str = event["type"]
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"


def to_line(event: Event) -> bytes:
    """Return an event as one line of JSON."""
    return orjson.dumps(event) + b"\n"


class ResponseEncoding:
    """The events of one streamed response; the last one is terminal, and nothing follows it.

    `encode` is called in the server's loop and never waits; what keeps the response may.
    """

    def __init__(self, events: ToEvents, keep: Keep, *, lines: bool) -> None:
        self.mimetype = "application/x-ndjson" if lines else "text/event-stream"
        self.heartbeat = b"\n" if lines else COMMENT
        self._write = to_line if lines else to_sse
        self._events = events
        self._keep = keep

    def encode(self, chunks: list[Chunk]) -> bytes:
        """See `Encoding.encode`."""
        return b"".join([self._write(event) for event in self._events.feed(chunks)])

    def encode_last(self, chunks: list[Chunk], member: object | None) -> bytes:
        """See `Encoding.encode_last`; the response of the terminal event has the member."""
        said = self._events.feed(chunks)
        return self._ended([*said, *self._events.end()], member)

    def encode_error(self, error: TensoriaError) -> bytes:
        """Return what was still open, and response.failed."""
        reword(error)
        return self._ended(self._events.fail(error), None)

    def _ended(self, events: list[Event], member: object | None) -> bytes:
        response: Any = self._keep(events[-1]["response"])
        if member is not None:
            response = {**response, "tensoria": member}
        *before, last = events
        return b"".join([self._write(event) for event in (*before, {**last, "response": response})])


class WholeResponse:
    """Chunks to the one object that their events add up to."""

    def __init__(self, events: ToEvents, keep: Keep) -> None:
        self._events = events
        self._keep = keep

    def feed(self, chunks: list[Chunk]) -> None:
        """Add chunks in their order."""
        self._events.feed(chunks)

    def completion(self) -> dict[str, object]:
        """Return the ended response; raises BackendError when the engine gave no reason."""
        self._events.end()
        return cast("dict[str, object]", self._keep(self._events.response))
