"""The two forms of an answer: a stream of events, or one whole document.

A stream: `Opening` (opens it), `Events` (what the server asks for the next bytes), `Encoding`.
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import partial
from typing import Protocol

from flask import Response, request

from tensoria.api.encoding import Encoding, accepted_encoding
from tensoria.api.events import Events, Turn, all_timings, note
from tensoria.api.json import json_response
from tensoria.api.late import LateEvents
from tensoria.api.notices import Notices
from tensoria.api.opening import OpenAnswer, Opened, Opening, open_first
from tensoria.api.record import record
from tensoria.api.services import client, explains, services
from tensoria.backends.base import AnyChunk
from tensoria.errors import ClientClosed
from tensoria.wire.openai import Timings


class Collector(Protocol[AnyChunk]):
    """Chunks to the one document that they add up to."""

    def feed(self, chunks: list[AnyChunk]) -> None: ...

    def completion(self) -> Mapping[str, object]: ...


def stream_answer(
    open_answer: OpenAnswer[AnyChunk],
    told: Notices,
    encoding: Encoding[AnyChunk] | None = None,
) -> Response:
    """Return a streamed response; an error before the headers leave is raised, with its status.

    They leave with the first chunk, or when that takes longer than STREAM_HEARTBEAT_SECONDS.
    Without an encoding of its own the answer is chunks, in the form that the client accepts.
    """
    encoding = encoding or accepted_encoding(request.headers.get("Accept", ""))
    current, watched = record(), client()
    seconds = services().settings.stream_heartbeat_seconds

    def begin(opened: Opened[AnyChunk]) -> Events[AnyChunk]:
        return Events(opened, encoding, current, watched, told)

    # What only explains itself, or has no heartbeats, is opened in the request itself.
    if seconds and not explains():
        opening = Opening(partial(open_first, open_answer), watched)
        opened = opening.take(seconds)
    else:
        opened = open_first(open_answer)
    watched.keep_watching()
    current.streams = True
    if opened is not None:
        response = _response(begin(opened), encoding.mimetype)
        told.tell(response, opened.stream.adjusted, opened.timings)
    else:
        late = LateEvents(opening, begin, encoding, current, watched)
        response = _response(late, encoding.mimetype)
        told.tell(response, {}, {})
    if seconds:
        watched.heartbeat(seconds, encoding.heartbeat)
    return response


def _response(events: Iterable[bytes], mimetype: str) -> Response:
    response = Response(events, mimetype=mimetype, direct_passthrough=True)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def whole_answer(
    open_answer: OpenAnswer[AnyChunk], collected: Collector[AnyChunk], told: Notices
) -> Response:
    """Add an answer up to one document; raises what the engine raises, or ClientClosed."""
    watched, current = client(), record()
    stream, ticket = open_answer()
    timings: Timings = {}
    with ticket, closing(stream):
        turn = current.turn = Turn()
        for chunks in stream:
            if chunks and not timings:
                timings = {"first_token_ms": current.answers()}
            collected.feed(chunks)
            if not stream.finished and watched.gone():
                raise ClientClosed
            turn.took(chunks)
        watched.stop_watching()
        note(current, stream)
    timings.update(all_timings(stream, current))
    extra = {"tensoria": told.member(stream.adjusted, timings)} if told.verbose else {}
    response = json_response({**collected.completion(), **extra})
    told.tell(response, stream.adjusted, timings)
    return response
