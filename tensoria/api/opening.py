"""The opening of a streamed answer, beside its request: the request can tell its client to wait."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Generic

from tensoria.admission.tickets import Ticket
from tensoria.api.record import record
from tensoria.api.services import Client, client
from tensoria.backends.base import AnswerStream, AnyChunk
from tensoria.errors import BackendError, ClientClosed
from tensoria.wire.openai import Timings

OpenAnswer = Callable[[], tuple[AnswerStream[AnyChunk], Ticket]]


@dataclass(frozen=True, slots=True)
class Opened(Generic[AnyChunk]):
    """An answer that has begun, its first chunks read; who has it closes it."""

    stream: AnswerStream[AnyChunk]
    ticket: Ticket
    first: list[AnyChunk]
    timings: Timings

    def close(self) -> None:
        """Give back the engine and the slot."""
        with self.ticket:
            self.stream.close()


def open_first(open_answer: OpenAnswer[AnyChunk]) -> Opened[AnyChunk]:
    """Open an answer and read until it begins; raises what the engine raises, or ClientClosed."""
    watched, current = client(), record()
    stream, ticket = open_answer()
    try:
        first = _first_chunks(stream, watched)
    except BaseException:
        watched.stop_watching()
        with ticket:
            stream.close()
        raise
    timings: Timings = {**current.queue_timings(), "first_token_ms": current.answers()}
    return Opened(stream, ticket, first, timings)


def _first_chunks(stream: AnswerStream[AnyChunk], watched: Client) -> list[AnyChunk]:
    for chunks in stream:
        if not stream.finished and watched.gone():
            raise ClientClosed
        if chunks:
            return chunks
    raise BackendError("The engine ended the answer without a word.")


class Opening(Generic[AnyChunk]):
    """An answer that is opened in a thread of its own (under gevent a greenlet).

    | state     | after             | what ends the request is thrown | who closes the answer |
    | --------- | ----------------- | ------------------------------- | --------------------- |
    | opening   | its creation      | into the opening                | the opening           |
    | open      | the opening's end | into the request                | `take`, or `abandon`  |
    | failed    | the opening's end | into the request                | closed already        |
    | taken     | `take`            | into the request                | its taker             |
    | abandoned | `abandon`         | into the opening, by `abandon`  | the opening           |

    The opening has a copy of the request's context, so that it may outlast the view.
    """

    def __init__(self, open_answer: Callable[[], Opened[AnyChunk]], watched: Client) -> None:
        self._open = open_answer
        self._watched = watched
        self._lock = threading.Lock()
        self._wanted = True
        self._opened: Opened[AnyChunk] | None = None
        self._error: BaseException | None = None
        self._lent = watched.lend(partial(copy_context().run, self._run))

    def take(self, seconds: float | None = None) -> Opened[AnyChunk] | None:
        """Return the answer, or None when it has not begun after so many seconds.

        Raises what the opening raised, and RequestEnded when the request ends.
        """
        try:
            if not self._lent.wait(seconds):
                return None
        except BaseException:
            self.abandon()
            raise
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                # The error knows this frame: without it they would keep each other.
                del error
        opened, self._opened = self._opened, None
        return opened

    def abandon(self) -> None:
        """Say that nobody takes the answer; what of it is open, or will be, is closed."""
        with self._lock:
            opened, self._opened = self._opened, None
            self._wanted = False
        self._lent.end(ClientClosed())
        if opened is not None:
            self._watched.stop_watching()
            opened.close()

    def _run(self) -> None:
        try:
            opened = self._open()
        except BaseException as error:  # noqa: BLE001  # it is raised in the request
            self._error = error
            return
        with self._lock:
            if self._wanted:
                self._opened = opened
                return
        self._watched.stop_watching()
        opened.close()
