"""A stream that is ended while it opens: whatever comes twice ends it once, and all is given back.

Through the whole app, with the worker's client in place of a worker; an engine waits in gevent.
"""

import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gevent
import pytest
from flask import Flask
from gevent import socket as gevent_socket
from gevent.event import AsyncResult, Event
from werkzeug.test import TestResponse

from tensoria.app import create_app
from tensoria.config import Settings
from tensoria.errors import BackendError, ClientClosed, ServiceStopping
from tensoria.server.client import SocketClient
from tensoria.translate.chat import Frame, to_chunk
from tensoria.wire.openai import Chunk
from tests.api.conftest import Lines
from tests.api.test_streaming import QuietBackend

PATH = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
CHUNK = to_chunk(
    Frame(id="chatcmpl-test", created=1, model="m"), {"role": "assistant", "content": "a"}
)
HEARTBEAT = 0.05


class Waiting:
    """An engine's one answer: at `step` it does `act`, and giving back takes it a while."""

    model = "m"
    finished = False
    usage = None

    def __init__(self, step: str, act: Callable[[], object]) -> None:
        self.adjusted: dict[str, str] = {}
        self.timings: dict[str, float] = {}
        self.opened = 0
        self.begun_to_give_back = 0
        self.given_back = 0
        self.at_clean_up: Callable[[], object] = lambda: None
        self._step = step
        self._act = act
        self._nexts = 0

    def open(self) -> "Waiting":
        self._at("opening")
        self.opened += 1
        return self

    def __iter__(self) -> Iterator[list[Chunk]]:
        return self

    def __next__(self) -> list[Chunk]:
        self._nexts += 1
        self._at("prefill" if self._nexts == 1 else "between events")
        return [CHUNK]

    def close(self) -> None:
        if self.begun_to_give_back:
            return
        self.begun_to_give_back += 1
        self.at_clean_up()
        gevent.sleep(0.02)
        self.given_back += 1

    def _at(self, step: str) -> None:
        if step == self._step:
            self._act()


class OneAnswer(QuietBackend):
    """A backend with that answer."""

    def chat(self, *_: object) -> Any:
        return self.answer.open()  # type: ignore[attr-defined]


class Request:
    """One streamed request in a greenlet of its own, and what may end it.

    Its engine hangs at a step, or is told at the step's end that the request ends.
    """

    def __init__(
        self, ours: Any, step: str, heartbeat: float = 20.0, ends_after: float | None = None
    ) -> None:
        self.told: list[bool] = []
        self.targets: list[object] = []
        self.engine = Waiting(step, self._at_step)
        self.engine.at_clean_up = self.end_soon
        settings = Settings.from_env({"STREAM_HEARTBEAT_SECONDS": str(heartbeat)})
        self.app: Flask = create_app(settings, OneAnswer(self.engine))  # type: ignore[arg-type]
        self.there = Event()
        self.ends_at_once = False
        self._word: AsyncResult = AsyncResult()
        self._ours = ours
        self._ends_after = ends_after
        self.greenlet = gevent.spawn(self._run)

    def end(self) -> None:
        """Called in the hub."""
        self.targets.append(self.client._greenlet)
        self.told.append(self.client.end(ServiceStopping()))
        self.told.append(self.client.end(ClientClosed()))

    def end_soon(self) -> None:
        gevent.get_hub().loop.run_callback(self.end)

    def fail(self, error: Exception) -> None:
        """Let the engine raise where it hangs."""
        self._word.set_exception(error)

    def go_on(self) -> None:
        """Let the engine answer where it hangs."""
        self._word.set(None)

    def running(self) -> int:
        """Return how many slots are taken."""
        (lane,) = self.app.extensions["tensoria"].admission._lanes.values()
        return int(lane.queue.running)

    def open(self) -> TestResponse:
        self.client = SocketClient(self._ours, set())
        self.client.watch()
        if self.ends_at_once:
            self.end_soon()
        overrides = {"tensoria.client": self.client}
        return self.app.test_client().post(PATH, json=BODY, environ_overrides=overrides)

    def _run(self) -> tuple[int, bytes]:
        with self.open() as response:
            return response.status_code, response.get_data()

    def _at_step(self) -> None:
        self.there.set()
        if self._ends_after is None:
            self._word.get()
            return
        gevent.sleep(self._ends_after)
        self.end_soon()


Start = Callable[..., Request]


@pytest.fixture
def start() -> Iterator[Start]:
    ours, theirs = socket.socketpair()
    with theirs, gevent_socket.socket(fileno=ours.detach()) as wrapped:
        yield partial(Request, wrapped)


@pytest.mark.parametrize("step", ["opening", "prefill", "between events"])
@pytest.mark.parametrize("heartbeat", [0, 20, HEARTBEAT])
def test_two_causes_end_a_stream_once_wherever_it_waits(
    start: Start,
    log: Lines,
    step: str,
    heartbeat: float,
) -> None:
    request = start(step, heartbeat)
    request.there.wait(5)
    # Long enough for the headers to leave early, where they do.
    gevent.sleep(3 * HEARTBEAT)
    request.end_soon()
    status, body = request.greenlet.get(timeout=5)

    late = heartbeat == HEARTBEAT or step == "between events"
    assert status == (200 if late else 503)
    assert body.count(b'"code":"service_stopping"') == 1
    assert request.told[:2] == [True, False]
    assert not any(request.told[2:])
    assert request.engine.given_back == request.engine.begun_to_give_back == request.engine.opened
    assert request.running() == 0
    (line,) = log.of_requests()
    assert " error=service_stopping " in line
    assert " status=503 " in line


@pytest.mark.parametrize(("heartbeat", "status"), [(20, 503), (HEARTBEAT, 200)])
def test_two_causes_while_the_answer_is_handed_over_end_it_once(
    start: Start, heartbeat: float, status: int
) -> None:
    """The opening is done, and the request has not run since."""
    request = start("prefill", heartbeat, ends_after=3 * HEARTBEAT)
    answered, body = request.greenlet.get(timeout=5)

    assert request.targets[0] is request.greenlet
    assert answered == status
    assert body.count(b'"code":"service_stopping"') == 1
    assert request.told[:2] == [True, False]
    assert not any(request.told[2:])
    assert (request.engine.opened, request.engine.given_back) == (1, 1)
    assert request.running() == 0


@pytest.mark.parametrize("heartbeat", [0, 20, HEARTBEAT])
@pytest.mark.parametrize("step", ["prefill", "between events"])
def test_nothing_is_thrown_into_the_clean_up_of_a_failure(
    start: Start, step: str, heartbeat: float
) -> None:
    """The client leaves just when the engine has failed: what is being given back counts more."""
    request = start(step, heartbeat)
    request.there.wait(5)
    gevent.sleep(3 * HEARTBEAT)
    request.fail(BackendError("The engine broke."))
    _, body = request.greenlet.get(timeout=5)

    assert b'"code":"engine_error"' in body
    assert request.told == [False, False]
    assert (request.engine.begun_to_give_back, request.engine.given_back) == (1, 1)
    assert request.running() == 0


def test_an_opening_that_is_ended_before_it_begins_opens_nothing(start: Start) -> None:
    request = start("opening")
    request.ends_at_once = True
    status, _ = request.greenlet.get(timeout=5)

    assert (status, request.engine.opened, request.engine.given_back) == (503, 0, 0)
    assert request.told == [True, False]


@pytest.mark.parametrize("step", ["opening", "prefill"])
def test_an_answer_that_the_server_closes_while_it_opens_is_ended_once(
    start: Start,
    log: Lines,
    step: str,
) -> None:
    """The first heartbeat could not be written: gunicorn closes the response."""
    request = start(step, HEARTBEAT)

    def serve() -> None:
        with request.open() as response:
            assert next(response.response) == b": keep-alive\n"  # type: ignore[call-overload]
        request.end_soon()

    request.greenlet.kill()
    gevent.spawn(serve).get(timeout=5)
    gevent.sleep(0.1)

    assert not any(request.told)
    assert request.engine.given_back == request.engine.begun_to_give_back == request.engine.opened
    assert request.running() == 0
    (line,) = log.of_requests()
    assert " status=499 " in line


def test_an_answer_that_comes_while_it_is_given_up_is_given_back_undisturbed(
    start: Start,
) -> None:
    """The opening is done a moment before it would be ended: nothing is thrown any more."""
    request = start("prefill", HEARTBEAT)

    def serve() -> None:
        with request.open():
            request.go_on()

    request.greenlet.kill()
    gevent.spawn(serve).get(timeout=5)
    gevent.sleep(0.1)

    assert not any(request.told)
    assert (request.engine.begun_to_give_back, request.engine.given_back) == (1, 1)
    assert request.running() == 0


def test_what_ends_a_request_by_force_ends_its_opening(start: Start) -> None:
    """At the end of a worker that could not wait any longer."""
    request = start("prefill")
    request.there.wait(5)
    request.greenlet.kill()
    gevent.sleep(0.1)

    assert (request.engine.opened, request.engine.given_back) == (1, 1)
    assert request.running() == 0
