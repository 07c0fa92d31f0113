"""A response that is made without its request (`background`): begun, run, and kept at its end."""

import io
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, current_app, g, request

from tensoria.api.error_handlers import to_tensoria_error
from tensoria.api.events import Turn, note
from tensoria.api.following import follow
from tensoria.api.json import json_response
from tensoria.api.memory import memory_for, owner
from tensoria.api.notices import Notices
from tensoria.api.record import Record, record
from tensoria.api.services import Client, backend, client, explains, key, services
from tensoria.api.turns import in_turn
from tensoria.backends.base import AnswerId, AnswerStream, Backend, Explained
from tensoria.errors import ClientClosed, InvalidRequest, RequestEnded, TensoriaError
from tensoria.memory import responses
from tensoria.memory.run import Run
from tensoria.metrics.base import Metrics
from tensoria.translate.response_events import ToEvents
from tensoria.translate.responses import reword
from tensoria.wire.openai import ChatRequest, Chunk
from tensoria.wire.responses import Event, Item, ResponseRequest

OpenChat = Callable[[Backend, AnswerId], AnswerStream[Chunk]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is run: the request, all that its own items say, and the chat that these become."""

    request: ResponseRequest
    said: Sequence[Item]
    chat: ChatRequest
    open_chat: OpenChat
    answer: AnswerId


def begin_in_background(asked: Asked, events: ToEvents, told: Notices) -> Response:
    """Return the queued response, or its events, when it has its place in the queue.

    Raises what need not wait to be refused, and StorageUnavailable where it cannot be kept.
    """
    memory = memory_for("background")
    if not asked.request.get("store", True):
        raise InvalidRequest(
            "'background' needs 'store': nobody could ask for the response.", param="background"
        )
    _check(asked.open_chat, asked.answer)
    whose = owner()
    queued = {**events.began(), "status": "queued"}
    run = Run(whose, queued, memory.worker())
    work = _Work(run, asked, events)
    lent = client().detach(work)
    run.end = lambda: lent.end(ClientClosed("The response was cancelled."))
    try:
        work.wait_for_place()
        memory.write(
            lambda db: responses.insert(
                db,
                whose,
                queued,
                asked.said,
                now=memory.clock(),
                conversation=asked.request.get("conversation"),
                worker=run.worker,
            )
        )
        services().runs.add(run)
        work.kept = True
    finally:
        work.settle()
    streams = asked.request.get("stream")
    response = follow(whose, run.id, -1) if streams else json_response(queued)
    told.tell(response, {}, {})
    return response


def _check(open_chat: OpenChat, answer: AnswerId) -> None:
    """Opened dry, the chat says what is wrong with it, while there is a status to say it with."""
    g.runs = 1
    try:
        open_chat(backend().dry(), answer)
    except Explained:
        if explains():
            raise


class _RunRecord(Record):
    """The log line of a run, and the first to know that it has a place, and that it runs."""

    __slots__ = ("_has_place", "_run", "_running")

    def __init__(
        self,
        run: Run,
        running: Callable[[], None],
        has_place: threading.Event,
        *,
        request_id: str,
        address: str | None,
        metrics: Metrics,
    ) -> None:
        path = f"/v1/responses/{run.id}"
        super().__init__(
            "RUN", path, request_id, address, endpoint="/v1/responses", metrics=metrics
        )
        self._has_place = has_place
        self._running = running

    def waits(self, position: int) -> None:
        """See `Record.waits`."""
        super().waits(position)
        self._has_place.set()

    def runs(self, model: str) -> None:
        """See `Record.runs`."""
        super().runs(model)
        self._running()
        self._has_place.set()


class _Work:
    """What is done without the request: waits for its turn as the caller would, and answers.

    | step      | ends by                          | if it is ended then                  |
    | --------- | -------------------------------- | ------------------------------------ |
    | entering  | a place in the queue, or none    | the request is told why              |
    | running   | the engine's end, or a failure   | the response failed, or is cancelled |
    | finishing | `settle`, and then the last write | nothing is thrown                    |
    """

    def __init__(self, run: Run, asked: Asked, events: ToEvents) -> None:
        self._run = run
        self._asked = asked
        self._events = events
        # The proxy's own object: the proxy means nothing where no request is.
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        self._environ = _environ()
        self._key = key()
        self._record = _RunRecord(
            run,
            self._running,
            has_place := threading.Event(),
            request_id=str(record().fields["request_id"]),
            address=request.remote_addr,
            metrics=services().metrics,
        )
        self._record.key = record().key
        if "key" in record().fields:
            self._record.fields["key"] = record().fields["key"]
        self._has_place = has_place
        self._settled = threading.Event()
        self._refusal: TensoriaError | None = None
        self.kept = False

    def wait_for_place(self) -> None:
        """Return when it runs or waits for its turn; raises why it does neither."""
        self._has_place.wait()
        if self._refusal is not None:
            raise self._refusal

    def settle(self) -> None:
        """Say that the request is done with it; what was not kept is not run any more."""
        self._settled.set()
        if not self.kept:
            self._run.cancel()

    def __call__(self, watched: Client) -> None:
        """Called once, beside the request and after it; raises nothing."""
        with self._app.request_context({**self._environ, "tensoria.client": watched}):
            g.key, g.record = self._key, self._record
            try:
                last = self._answer(watched)
                self._settled.wait()
                if self.kept:
                    services().runs.finish(self._run, last, dict(self._events.response))
            finally:
                self._has_place.set()
                self._end_record()

    def _end_record(self) -> None:
        """What is refused is told, and counted, by its request's own line."""
        if self._refusal is None:
            self._record.write()
        elif self._record.account is not None:
            self._record.account.settle(0, 0, 0.0)

    def _answer(self, watched: Client) -> list[Event]:
        try:
            self._read(watched)
            last = self._events.end()
            self._record.status = 200
        except (Exception, RequestEnded) as error:  # noqa: BLE001  # not to end without a word
            watched.stop_watching()
            last = self._fail(to_tensoria_error(error))
        return last

    def _read(self, watched: Client) -> None:
        asked, current = self._asked, self._record
        stream, ticket = in_turn(asked.open_chat, asked.chat, asked.answer)
        with ticket, closing(stream):
            turn = current.turn = Turn()
            for chunks in stream:
                if chunks and current.first_token_ms is None:
                    current.answers()
                self._run.publish(self._events.feed(chunks))
                # Also behind its last chunk: who was told that it is cancelled finds it so.
                if watched.gone():
                    raise ClientClosed
                turn.took(chunks)
            watched.stop_watching()
            note(current, stream)

    def _running(self) -> None:
        self._run.publish([], {**self._events.began(), "status": "in_progress"})

    def _fail(self, error: TensoriaError) -> list[Event]:
        self._record.failed(error)
        if not self._has_place.is_set():
            self._refusal = error
            self._has_place.set()
        reword(error)
        last = self._events.fail(error)
        if self._run.cancelled:
            # OpenAI has no event of its own for it; the object in the last one says what it is.
            self._events.response["status"] = "cancelled"
            self._events.response["error"] = None
        return last


def _environ() -> dict[str, Any]:
    """Return the request's environ without its body, its connection and its wish to be explained.

    What stays may outlive the request.
    """
    kept = {
        name: value
        for name, value in request.environ.items()
        if isinstance(value, str | bool | tuple) or name.startswith("tensoria.")
    }
    kept.pop("HTTP_X_TENSORIA_EXPLAIN", None)
    return {**kept, "CONTENT_LENGTH": "0", "wsgi.input": io.BytesIO()}
