"""The events of an open stream, as the server asks for them.

Every stream ends in exactly one of: finish chunk and [DONE], or an error event.
"""

import time
from collections.abc import Sized
from functools import partial
from typing import Generic, Self

from tensoria.api.encoding import Encoding
from tensoria.api.error_handlers import to_tensoria_error
from tensoria.api.notices import Notices, to_changes
from tensoria.api.opening import Opened
from tensoria.api.record import Record
from tensoria.api.services import Client
from tensoria.backends.base import AnswerStream, AnyChunk
from tensoria.backends.stream import EngineStream
from tensoria.errors import BackendError, ClientClosed, RequestEnded, TensoriaError
from tensoria.wire.openai import Timings

# After so many chunks an answer lets the others run (under gevent, where sleeping is giving way):
# an engine that is always ahead of us would otherwise keep the worker for itself. Chunks and not
# blocks, because one block of such an engine holds hundreds.
CHUNKS_PER_TURN = 64


class Turn:
    """How much of the worker's time an answer has had since it last let the others run."""

    def __init__(self) -> None:
        self._chunks = 0
        # Since the answer began.
        self.chunks = 0

    def count(self, chunks: Sized) -> None:
        """Count a block for which the worker was not kept from others."""
        self.chunks += len(chunks)

    def took(self, chunks: Sized) -> None:
        """Count a block, and give way when the turn is over."""
        count = len(chunks)
        self.chunks += count
        self._chunks += count + 1
        if self._chunks > CHUNKS_PER_TURN:
            self._chunks = 0
            time.sleep(0)


class Events(Generic[AnyChunk]):
    """The response's iterable. An object, not a generator: one that is closed before its first
    `next` would never run its `finally`, and the engine would go on for nobody."""

    def __init__(
        self,
        opened: Opened[AnyChunk],
        encoding: Encoding[AnyChunk],
        current: Record,
        watched: Client,
        told: Notices,
    ) -> None:
        self._first: list[AnyChunk] | None = opened.first
        self._stream = opened.stream
        # Of another kind of stream each step may wait.
        self._polled = opened.stream if isinstance(opened.stream, EngineStream) else None
        self._ticket = opened.ticket
        self._begun = opened.timings
        self._told = told
        self._encoding = encoding
        self._record = current
        self._client = watched
        self._over = False
        self._turn = current.turn = Turn()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        try:
            if self._polled is not None and self._first is None:
                self._pump(self._polled)
            return self._next_events()
        except StopIteration:
            return self._failed(BackendError("The engine ended the answer in the middle."))
        except (Exception, RequestEnded) as error:  # noqa: BLE001  # not to end without a word
            return self._failed(to_tensoria_error(error))

    def close(self) -> None:
        """Called by the server in every case; frees the engine if the client left early."""
        self._client.stop_watching()
        if not self._over or self._client.unread():
            self._over = True
            self._record.left()
        note(self._record, self._stream)
        try:
            with self._ticket:
                self._stream.close()
        finally:
            self._record.write()

    def _pump(self, stream: EngineStream[AnyChunk]) -> None:
        """Have the server write events itself, until one is to be asked for by `next`."""
        source = stream.source
        if source is not None:
            self._client.pump(source, partial(self._step, stream))

    def _step(self, stream: EngineStream[AnyChunk]) -> bytes | None:
        """Return the events of what has come, b"" for nothing, None for the end; never waits."""
        chunks = stream.poll()
        if chunks is None:
            return None
        if self._client.gone():
            raise ClientClosed
        self._turn.count(chunks)
        return self._encoding.encode(chunks) if chunks else b""

    def _next_events(self) -> bytes:
        chunks, self._first = self._first, None
        while not chunks:
            chunks = next(self._stream)
            # The first write to a client that left still succeeds: without a look the engine
            # would work on until the second.
            if not self._stream.finished and self._client.gone():
                raise ClientClosed
        self._turn.took(chunks)
        if not self._stream.finished:
            return self._encoding.encode(chunks)
        self._over = True
        self._record.state = "writing"
        # The engine is done: who comes next need not wait until this client has read the rest.
        self._ticket.close()
        member = self._verbose() if self._told.verbose else None
        return self._encoding.encode_last(chunks, member)

    def _failed(self, error: TensoriaError) -> bytes:
        self._over = True
        # Nothing is thrown into what follows, so that the client is told.
        self._client.stop_watching()
        with self._ticket:
            self._stream.close()
        self._record.failed(error)
        return self._encoding.encode_error(error)

    def _verbose(self) -> object:
        """Return what the end of the answer gets as its member `tensoria`."""
        timings: Timings = {**self._begun, **all_timings(self._stream, self._record)}
        return self._told.member(self._stream.adjusted, timings)


def all_timings(stream: AnswerStream[AnyChunk], current: Record) -> Timings:
    """Return what the engine has told, and the whole time until now."""
    return {**current.queue_timings(), **stream.timings, "total_ms": current.elapsed_ms()}


def note(current: Record, stream: AnswerStream[AnyChunk]) -> None:
    """Put what is known of an answer's end into its log line."""
    current.fields["model"] = stream.model
    current.tokens_per_second = stream.timings.get("decode_tokens_per_second")
    if stream.usage:
        current.fields["prompt_tokens"] = stream.usage["prompt_tokens"]
        current.fields["completion_tokens"] = stream.usage["completion_tokens"]
    if stream.adjusted:
        # Some of it is only known when the headers of a stream have left.
        current.fields["adjusted"] = to_changes(stream.adjusted)
