"""Streams whose headers leave before the answer, under a server that can do no more than that."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.conftest import Lines
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    answer_json,
    chat_line,
    done_line,
    error_line,
    hang,
    stream,
)
from tests.waiting import until

PATH = "/v1/chat/completions"
SETTINGS = {"STREAM_HEARTBEAT_SECONDS": "0.05"}
Ask = Callable[..., TestResponse]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    made = make_app(**SETTINGS)
    # The contract's client judges a stream without comments.
    made.test_client_class = FlaskClient
    return made


@pytest.fixture
def ask(app: Flask, hello: dict[str, Any]) -> Ask:
    def post(accept: str = "*/*", **members: Any) -> TestResponse:
        body = {**hello, "stream": True, **members}
        return app.test_client().post(PATH, json=body, headers={"Accept": accept})

    return post


def running(app: Flask) -> int:
    (lane,) = app.extensions["tensoria"].admission._lanes.values()
    return int(lane.queue.running)


@pytest.mark.parametrize(
    ("accept", "heartbeat"), [("*/*", b": keep-alive\n"), ("application/x-ndjson", b"\n")]
)
def test_headers_leave_with_a_heartbeat_and_the_answer_follows(
    fake: FakeOllama, ask: Ask, gate: threading.Event, accept: str, heartbeat: bytes
) -> None:
    fake.script("/api/chat", stream([gate, chat_line("Hel"), chat_line("lo"), done_line()]))
    with ask(accept) as response:
        first = next(response.response)  # type: ignore[call-overload]
        gate.set()
        rest = b"".join(response.response)  # type: ignore[arg-type]

    assert (response.status_code, first) == (200, heartbeat)
    assert b'"content":"Hel"' in rest
    assert b'"finish_reason":"stop"' in rest
    assert "X-Request-ID" in response.headers
    assert "Server-Timing" not in response.headers


def test_a_late_answer_tells_its_timings_when_it_is_asked_to(
    fake: FakeOllama, app: Flask, hello: dict[str, Any], gate: threading.Event
) -> None:
    fake.script("/api/chat", stream([gate, chat_line("Hel"), done_line()]))
    asked = {**hello, "stream": True}
    with app.test_client().post(PATH, json=asked, headers={"X-Tensoria-Verbose": "1"}) as response:
        gate.set()
        last = response.get_data().split(b"data: ")[-2]

    assert orjson.loads(last)["tensoria"]["timings"]["first_token_ms"] >= 50


@pytest.mark.parametrize(
    ("engine", "status", "code"),
    [
        (answer_json({"error": "CUDA error"}, 500), 502, "engine_error"),
        (stream([error_line("CUDA error")]), 502, "engine_error"),
        (stream([chat_line("a"), b"\xff no JSON\n"]), 502, "engine_error"),
    ],
)
def test_a_late_failure_is_the_last_event_and_stands_in_the_log(
    fake: FakeOllama,
    ask: Ask,
    app: Flask,
    gate: threading.Event,
    log: Lines,
    engine: Callable[[Exchange], None],
    status: int,
    code: str,
) -> None:
    def handle(exchange: Exchange) -> None:
        exchange.wait_for(gate)
        engine(exchange)

    fake.script("/api/chat", handle)
    with ask() as response:
        gate.set()
        body = response.get_data()

    last = body.removesuffix(b"\n\n").rpartition(b"data: ")[2]
    assert orjson.loads(last)["error"]["code"] == code
    assert body.startswith(b": keep-alive\n")
    (line,) = log.of_requests()
    assert f" error={code} " in line
    assert f" status={status} " in line
    assert running(app) == 0


def test_a_fault_of_ours_behind_the_headers_is_an_event_too(
    fake: FakeOllama, ask: Ask, app: Flask, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = app.extensions["tensoria"].backend

    def chat(*_: object) -> None:
        gate.wait(5)
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(backend, "chat", chat)
    with ask() as response:
        gate.set()
        body = response.get_data()

    assert b'"code":"internal_error"' in body
    assert b"a fault of ours" not in body
    assert running(app) == 0


def test_what_opens_after_its_client_has_gone_is_closed_by_itself(
    fake: FakeOllama, ask: Ask, app: Flask, gate: threading.Event, log: Lines
) -> None:
    """Nothing can be thrown into a thread: the engine is freed when it begins to answer."""
    fake.script("/api/chat", stream([gate, chat_line("a"), hang]))
    with ask() as response:
        assert next(response.response) == b": keep-alive\n"  # type: ignore[call-overload]
    assert running(app) == 1
    gate.set()
    fake.wait_for_disconnect(timeout=3)

    until(lambda: running(app) == 0)
    (line,) = log.of_requests()
    assert " status=499 " in line


def test_without_heartbeats_nothing_runs_beside_the_request(
    fake: FakeOllama, make_app: Callable[..., Flask], hello: dict[str, Any]
) -> None:
    seen: list[str] = []
    app = make_app(STREAM_HEARTBEAT_SECONDS="0")
    resolve = app.extensions["tensoria"].backend.resolve

    def noting(*args: Any, **options: Any) -> Any:
        seen.append(threading.current_thread().name)
        return resolve(*args, **options)

    app.extensions["tensoria"].backend.resolve = noting
    with app.test_client().post(PATH, json={**hello, "stream": True}) as response:
        response.get_data()

    assert seen == [threading.current_thread().name]
