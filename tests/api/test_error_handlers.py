"""A fault of ours: the envelope, and not a word of the exception."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from tensoria.translate.chat import ToChunks
from tests.api.conftest import Lines
from tests.fake_ollama import FakeOllama, chat_line, hang, stream

CANARY = "canary7f3"


@pytest.fixture
def faulty(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a service with views that fail."""
    app = make_app()

    def crash() -> str:
        raise KeyError(f"{CANARY} /secret/path")

    app.add_url_rule("/crash", view_func=crash)
    app.add_url_rule("/teapot", "teapot", lambda: abort(418, CANARY))
    return app.test_client()


def test_a_crash_is_500_and_quotes_nothing(faulty: FlaskClient, log: Lines) -> None:
    response = faulty.get("/crash")

    assert response.status_code == 500
    assert response.json["error"]["code"] == "internal_error"  # type: ignore[index]
    assert response.json["error"]["type"] == "server_error"  # type: ignore[index]
    for word in (CANARY, "KeyError", "Traceback", "secret", ".py"):
        assert word not in response.text
    assert not [line for line in log.lines if CANARY in line]


def test_the_log_names_the_class_and_the_place_of_a_crash(faulty: FlaskClient, log: Lines) -> None:
    request_id = faulty.get("/crash").headers["X-Request-ID"]
    (line,) = [line for line in log.lines if "internal error" in line]

    assert "KeyError" in line
    assert "test_error_handlers.py:" in line
    assert request_id in line


def test_an_error_of_flask_that_nobody_foresaw_has_the_envelope(faulty: FlaskClient) -> None:
    response = faulty.get("/teapot")

    assert response.status_code == 400
    assert CANARY not in response.text


def test_a_fault_in_the_middle_of_a_stream_is_an_event_and_frees_the_engine(
    fake: FakeOllama,
    client: FlaskClient,
    hello: dict[str, Any],
    log: Lines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), _pause, chat_line("lo"), hang]))
    feed = ToChunks.feed

    def fails_later(self: ToChunks, lines: Any) -> Any:
        lines = list(lines)
        if any(b'"lo"' in line for line in lines):
            raise ZeroDivisionError(CANARY)
        return feed(self, lines)

    monkeypatch.setattr(ToChunks, "feed", fails_later)
    with client.post("/v1/chat/completions", json={**hello, "stream": True}) as response:
        body = response.get_data(as_text=True)

    assert '"code":"internal_error"' in body
    assert "[DONE]" not in body
    assert CANARY not in body
    fake.wait_for_disconnect(timeout=2)
    assert not [line for line in log.lines if CANARY in line]
    assert "status=500" in log.of_requests()[0]


def _pause(exchange: Any) -> None:
    exchange.pause(0.1)
