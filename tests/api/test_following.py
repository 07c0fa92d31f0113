"""Those who follow a response in the background, and what they are told."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.remembering import PATH, answered, events
from tests.fake_ollama import FakeOllama, chat_line, done_line, stream
from tests.waiting import until


@pytest.fixture
def gate(fake: FakeOllama) -> Iterator[threading.Event]:
    """What the engine waits for in the middle of its next answer."""
    opened = threading.Event()
    fake.script("/api/chat", stream([chat_line("Hel"), opened, chat_line("lo"), done_line()]))
    yield opened
    opened.set()


def going(client: FlaskClient) -> str:
    id_ = str(answered(client, background=True)["id"])
    until(lambda: client.get(f"{PATH}/{id_}").json["status"] == "in_progress")  # type: ignore[index]
    return id_


def follow(client: FlaskClient, id_: str, **headers: str) -> Any:
    return client.get(f"{PATH}/{id_}?stream=true", headers=headers, buffered=False)


def test_lines_are_followed_as_events_are(client: FlaskClient, gate: threading.Event) -> None:
    id_ = going(client)
    gate.set()
    with follow(client, id_, Accept="application/x-ndjson") as response:
        lines = [orjson.loads(line) for line in response.get_data().splitlines()]

    assert response.mimetype == "application/x-ndjson"
    assert lines == events(client.get(f"{PATH}/{id_}?stream=true"))


def test_who_waits_long_is_told_that_it_goes_on(
    client: FlaskClient, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensoria.api.following._SILENT_SECONDS", 0.01)
    id_ = going(client)
    text = b""
    with follow(client, id_) as response:
        for part in response.response:
            text += part
            if b": keep-alive\n: keep-alive\n" in text:
                gate.set()

    assert b"event: response.completed" in text


def test_who_follows_what_is_deleted_elsewhere_is_told(
    make_app: Callable[..., Flask], gate: threading.Event
) -> None:
    here, there = make_app(), make_app().test_client()
    id_ = going(here.test_client())
    until(lambda: there.get(f"{PATH}/{id_}").status_code == 200)
    with follow(there, id_) as response:
        parts = iter(response.response)
        next(parts)
        memory = here.extensions["tensoria"].memory
        memory.write(lambda db: db.execute("DELETE FROM responses"))
        rest = b"".join(parts)

    assert b"event: error" in rest
    assert id_.encode() in rest


def test_a_disk_that_fails_ends_a_stream_with_an_error_event(
    make_app: Callable[..., Flask], gate: threading.Event
) -> None:
    """The response goes on: its own last event would be a lie."""
    here, other = make_app().test_client(), make_app()
    id_ = going(here)
    there = other.test_client()
    until(lambda: there.get(f"{PATH}/{id_}").status_code == 200)
    with follow(there, id_) as response:
        parts = iter(response.response)
        first = next(parts)

        def fail(function: Callable[[], Any]) -> Any:
            raise OSError(5, "Input/output error")

        other.extensions["tensoria"].memory.aside = fail
        rest = b"".join(parts)
    last = orjson.loads(rest.partition(b"data: ")[2])

    assert (last["type"], last["code"]) == ("error", "storage_unavailable")
    assert last["sequence_number"] == first.count(b"event: ")


def test_who_leaves_ends_nothing(client: FlaskClient, gate: threading.Event) -> None:
    id_ = going(client)
    with follow(client, id_) as response:
        next(iter(response.response))
    gate.set()

    until(lambda: client.get(f"{PATH}/{id_}").json["status"] == "completed")  # type: ignore[index]
