"""An answer on the wire: server-sent events, NDJSON, or one whole document.

Every stream ends in exactly one of: finish chunk and [DONE], or an error event.
Source: platform.openai.com/docs/api-reference/chat/streaming
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sized
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self

import orjson
from flask import Response, request

from tensoria.admission.tickets import Ticket
from tensoria.api.error_handlers import internal_error
from tensoria.api.json import json_response
from tensoria.api.notices import Notices, to_changes
from tensoria.api.record import Record, record
from tensoria.api.services import Client, client
from tensoria.backends.base import AnswerStream, AnyChunk
from tensoria.errors import BackendError, ClientClosed, RequestEnded, TensoriaError
from tensoria.wire.openai import Timings


class Collector(Protocol[AnyChunk]):
    """Chunks to the one document that they add up to."""

    def feed(self, chunks: list[AnyChunk]) -> None: ...

    def completion(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one object is put on the wire, and what follows the last one."""

    mimetype: str
    before: bytes
    after: bytes
    done: bytes

    def encode(self, objects: Iterable[object]) -> bytes:
        """Return the objects as events, in one piece."""
        dumps, before, after = orjson.dumps, self.before, self.after
        return b"".join([before + dumps(each) + after for each in objects])


# After so many chunks an answer lets the others run (under gevent, where sleeping is giving way):
# an engine that is always ahead of us would otherwise keep the worker for itself. Chunks and not
# blocks, because one block of such an engine holds hundreds.
CHUNKS_PER_TURN = 64

SSE = Encoding("text/event-stream", b"data: ", b"\n\n", b"data: [DONE]\n\n")
NDJSON = Encoding("application/x-ndjson", b"", b"\n", b"")


def stream_answer(stream: AnswerStream[AnyChunk], ticket: Ticket, told: Notices) -> Response:
    """Return a streamed response; an error before the first chunk is raised, with its status."""
    encoding = NDJSON if "application/x-ndjson" in request.headers.get("Accept", "") else SSE
    current, watched = record(), client()
    try:
        first = _first_chunks(stream, watched)
    except BaseException:
        with ticket:
            stream.close()
        raise
    watched.keep_watching()
    current.streams = True
    timings: Timings = {**current.queue_timings(), "first_token_ms": current.elapsed_ms()}
    events = Events(first, stream, ticket, encoding, current, watched)
    if told.verbose:
        events.extra = lambda: told.member(
            stream.adjusted, {**timings, **_timings(stream, current)}
        )
    response = Response(events, mimetype=encoding.mimetype, direct_passthrough=True)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    told.tell(response, stream.adjusted, timings)
    return response


def whole_answer(
    stream: AnswerStream[AnyChunk], ticket: Ticket, collected: Collector[AnyChunk], told: Notices
) -> Response:
    """Add a stream up to one document; raises what the engine raises, or ClientClosed."""
    watched, current = client(), record()
    timings: Timings = {}
    with ticket, closing(stream):
        turn = Turn()
        for chunks in stream:
            if chunks and not timings:
                timings = {"first_token_ms": current.elapsed_ms()}
            collected.feed(chunks)
            if not stream.finished and watched.gone():
                raise ClientClosed
            turn.took(chunks)
        watched.stop_watching()
        _note(current, stream)
    timings.update(_timings(stream, current))
    extra = {"tensoria": told.member(stream.adjusted, timings)} if told.verbose else {}
    response = json_response({**collected.completion(), **extra})
    told.tell(response, stream.adjusted, timings)
    return response


def _timings(stream: AnswerStream[AnyChunk], current: Record) -> Timings:
    """Return what the engine has told, and the whole time until now."""
    return {**current.queue_timings(), **stream.timings, "total_ms": current.elapsed_ms()}


def _first_chunks(stream: AnswerStream[AnyChunk], watched: Client) -> list[AnyChunk]:
    for chunks in stream:
        if not stream.finished and watched.gone():
            raise ClientClosed
        if chunks:
            return chunks
    raise BackendError("The engine ended the answer without a word.")


def _note(current: Record, stream: AnswerStream[AnyChunk]) -> None:
    current.fields["model"] = stream.model
    if stream.usage:
        current.fields["prompt_tokens"] = stream.usage["prompt_tokens"]
        current.fields["completion_tokens"] = stream.usage["completion_tokens"]
    if stream.adjusted:
        # Some of it is only known when the headers of a stream have left.
        current.fields["adjusted"] = to_changes(stream.adjusted)


class Turn:
    """How much of the worker's time an answer has had since it last let the others run."""

    def __init__(self) -> None:
        self._chunks = 0

    def took(self, chunks: Sized) -> None:
        """Count a block, and give way when the turn is over."""
        self._chunks += len(chunks) + 1
        if self._chunks > CHUNKS_PER_TURN:
            self._chunks = 0
            time.sleep(0)


class Events(Generic[AnyChunk]):
    """The response's iterable. An object, not a generator: one that is closed before its first
    `next` would never run its `finally`, and the engine would go on for nobody."""

    def __init__(
        self,
        first: list[AnyChunk],
        stream: AnswerStream[AnyChunk],
        ticket: Ticket,
        encoding: Encoding,
        current: Record,
        watched: Client,
    ) -> None:
        self._first: list[AnyChunk] | None = first
        self._stream = stream
        self._ticket = ticket
        self._encoding = encoding
        self._record = current
        self._client = watched
        self._over = False
        self._turn = Turn()
        # What the last chunk gets as its member `tensoria`.
        self.extra: Callable[[], object] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        try:
            return self._next_events()
        except StopIteration:
            return self._failed(BackendError("The engine ended the answer in the middle."))
        except TensoriaError as error:
            return self._failed(error)
        except RequestEnded as ended:
            return self._failed(ended.error)
        except Exception as error:  # noqa: BLE001  # a stream must not end without a word
            return self._failed(internal_error(error))

    def close(self) -> None:
        """Called by the server in every case; frees the engine if the client left early."""
        self._client.stop_watching()
        if not self._over or self._client.unread():
            self._over = True
            self._record.status = ClientClosed.status
        _note(self._record, self._stream)
        try:
            with self._ticket:
                self._stream.close()
        finally:
            self._record.write()

    def _next_events(self) -> bytes:
        chunks, self._first = self._first, None
        while not chunks:
            chunks = next(self._stream)
            # The first write to a client that left still succeeds: without a look the engine
            # would work on until the second.
            if not self._stream.finished and self._client.gone():
                self._stream.close()
                raise ClientClosed
        self._turn.took(chunks)
        if not self._stream.finished:
            return self._encoding.encode(chunks)
        self._over = True
        # The engine is done: who comes next need not wait until this client has read the rest.
        self._ticket.close()
        if self.extra:
            last: Any = chunks[-1]
            last["tensoria"] = self.extra()
        return self._encoding.encode(chunks) + self._encoding.done

    def _failed(self, error: TensoriaError) -> bytes:
        self._over = True
        # Nothing is thrown into what follows, so that the client is told.
        self._client.stop_watching()
        with self._ticket:
            self._stream.close()
        self._record.status = error.status
        self._record.fields["error"] = error.code
        return self._encoding.encode([error.envelope()])
