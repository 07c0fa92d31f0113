"""Responses that go on without their requests: polled, followed, resumed, cancelled."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tensoria.admission.usage_file import read
from tensoria.memory.workers import Worker
from tests.api.conftest import Lines
from tests.api.remembering import PATH, Json, answered, ask, error, events, said
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    done_line,
    error_line,
    stream,
)
from tests.waiting import until


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What the engine waits for in the middle of its answer; open at the end of the test."""
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def slow(fake: FakeOllama, gate: threading.Event) -> threading.Event:
    """An engine whose next answer waits for the gate."""
    fake.script("/api/chat", stream([chat_line("Hel"), gate, chat_line("lo"), done_line()]))
    return gate


def got(client: FlaskClient, id_: str, key: str = "") -> Json:
    response = client.get(f"{PATH}/{id_}", headers={"X-API-Key": key} if key else {})
    assert response.status_code == 200, response.text
    return dict(response.json)  # type: ignore[arg-type]


def status(client: FlaskClient, id_: str) -> str:
    return str(got(client, id_)["status"])


def types(told: list[Json]) -> list[str]:
    return [event["type"] for event in told]


def test_it_is_queued_at_once_and_polled_to_its_end(
    client: FlaskClient, slow: threading.Event
) -> None:
    queued = answered(client, background=True)
    until(lambda: status(client, queued["id"]) == "in_progress")
    slow.set()
    until(lambda: status(client, queued["id"]) == "completed")
    done = got(client, queued["id"])

    assert (queued["status"], queued["background"], queued["output"]) == ("queued", True, [])
    assert done["output"][0]["content"][0]["text"] == "Hello"
    assert (done["background"], done["store"]) == (True, True)
    assert done["usage"]["output_tokens"] == 8


def test_it_can_be_followed_upon_when_it_is_over(
    client: FlaskClient, fake: FakeOllama, slow: threading.Event
) -> None:
    first = answered(client, "One", background=True)
    early = ask(client, "Two", previous_response_id=first["id"])
    assert error(early) == (400, "invalid_value", "previous_response_id")
    slow.set()
    until(lambda: status(client, first["id"]) == "completed")
    answered(client, "Two", previous_response_id=first["id"])

    assert said(fake) == [("user", "One"), ("assistant", "Hello"), ("user", "Two")]


def test_its_events_can_be_streamed(client: FlaskClient) -> None:
    told = events(ask(client, background=True, stream=True))

    assert types(told)[0] == "response.created"
    assert types(told)[-1] == "response.completed"
    assert [event["sequence_number"] for event in told] == list(range(len(told)))


def test_who_left_goes_on_where_it_was(client: FlaskClient, slow: threading.Event) -> None:
    with ask(client, background=True, stream=True) as response:
        parts = iter(response.response)
        first = bytes(next(parts)).decode()
    id_ = "resp_" + first.partition('"id":"resp_')[2].partition('"')[0]
    slow.set()
    rest = events(client.get(f"{PATH}/{id_}?stream=true&starting_after=1"))
    until(lambda: status(client, id_) == "completed")
    again = events(client.get(f"{PATH}/{id_}?stream=true"))

    assert rest[0]["sequence_number"] == 2
    assert types(rest)[-1] == "response.completed"
    assert again[2:] == rest
    assert again[-1]["response"] == got(client, id_)


def test_the_end_is_said_again_to_who_has_all(client: FlaskClient) -> None:
    id_ = answered(client, background=True)["id"]
    until(lambda: status(client, id_) == "completed")
    [last] = events(client.get(f"{PATH}/{id_}?stream=true&starting_after=500"))

    assert (last["type"], last["sequence_number"]) == ("response.completed", 501)


def test_a_cancelled_one_frees_the_engine(
    client: FlaskClient, fake: FakeOllama, slow: threading.Event
) -> None:
    id_ = answered(client, background=True)["id"]
    until(lambda: status(client, id_) == "in_progress")
    threading.Timer(0.05, slow.set).start()
    cancelled: Any = client.post(f"{PATH}/{id_}/cancel").json
    again: Any = client.post(f"{PATH}/{id_}/cancel").json
    told = events(client.get(f"{PATH}/{id_}?stream=true"))

    assert (cancelled["status"], cancelled["error"]) == ("cancelled", None)
    assert again == cancelled == got(client, id_)
    assert told[-1]["response"]["status"] == "cancelled"
    fake.wait_until_idle()


def test_cancelling_what_is_over_changes_nothing(client: FlaskClient) -> None:
    id_ = answered(client, background=True)["id"]
    until(lambda: status(client, id_) == "completed")
    response: Any = client.post(f"{PATH}/{id_}/cancel").json

    assert response["status"] == "completed"


def test_a_deleted_one_ends(client: FlaskClient, fake: FakeOllama, slow: threading.Event) -> None:
    id_ = answered(client, background=True)["id"]
    threading.Timer(0.05, slow.set).start()

    assert client.delete(f"{PATH}/{id_}").status_code == 200
    assert client.get(f"{PATH}/{id_}").status_code == 404
    fake.wait_until_idle()


def test_an_engine_that_fails_makes_it_fail(client: FlaskClient, fake: FakeOllama) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), error_line("gone")]))
    id_ = answered(client, background=True)["id"]
    until(lambda: status(client, id_) == "failed")

    assert got(client, id_)["error"]["code"] == "server_error"
    assert types(events(client.get(f"{PATH}/{id_}?stream=true")))[-1] == "response.failed"


def test_what_is_wrong_is_told_before_it_is_queued(client: FlaskClient) -> None:
    unknown = ask(client, background=True, model="nobody")
    unstored = ask(client, background=True, store=False)

    assert error(unknown) == (404, "model_not_found", "model")
    assert error(unstored) == (400, "invalid_value", "background")


def test_a_full_queue_refuses_it_with_its_status(
    make_app: Callable[..., Flask], slow: threading.Event, fake: FakeOllama
) -> None:
    client = make_app(MAX_CONCURRENCY="1", MAX_QUEUE="0").test_client()
    id_ = answered(client, background=True)["id"]
    until(lambda: status(client, id_) == "in_progress")
    refused = ask(client, background=True)

    assert refused.status_code in (429, 503)
    slow.set()
    until(lambda: status(client, id_) == "completed")


def test_one_that_is_refused_has_one_line_and_gives_back_what_it_took(
    make_app: Callable[..., Flask], slow: threading.Event, log: Lines, tmp_path: Path
) -> None:
    client = make_app(API_KEY="one", MAX_CONCURRENCY="1", MAX_QUEUE="0").test_client()
    id_ = answered(client, key="one", background=True)["id"]
    refused = ask(client, key="one", background=True)
    slow.set()
    until(lambda: got(client, id_, "one")["status"] == "completed")
    until(lambda: list(read(tmp_path / "data" / "usage").values()) == [(2, 27, 8)])
    lines = [line for line in log.of_requests() if f" {refused.status_code} " in line]

    assert [line.partition("tensoria.request: ")[2][:18] for line in lines] == [
        "POST /v1/responses"
    ]


def test_one_that_waits_is_queued_until_its_turn(
    make_app: Callable[..., Flask], slow: threading.Event
) -> None:
    client = make_app(MAX_CONCURRENCY="1").test_client()
    first = answered(client, background=True)["id"]
    second = answered(client, background=True)["id"]

    assert status(client, second) == "queued"
    slow.set()
    until(lambda: status(client, second) == "completed")
    assert status(client, first) == "completed"


def test_one_that_waits_can_be_cancelled(
    make_app: Callable[..., Flask], slow: threading.Event
) -> None:
    client = make_app(MAX_CONCURRENCY="1").test_client()
    answered(client, background=True)
    waiting = answered(client, background=True)["id"]
    cancelled: Any = client.post(f"{PATH}/{waiting}/cancel").json

    assert cancelled["status"] == "cancelled"


def test_it_is_counted_on_its_key_and_has_its_line(
    make_app: Callable[..., Flask], tmp_path: Path, log: Lines
) -> None:
    client = make_app(API_KEY="one").test_client()
    id_ = answered(client, key="one", background=True)["id"]
    until(lambda: got(client, id_, "one")["status"] == "completed")
    until(lambda: any(f"RUN /v1/responses/{id_} 200" in line for line in log.of_requests()))
    [line] = [line for line in log.of_requests() if f"RUN /v1/responses/{id_}" in line]

    assert "completion_tokens=8" in line
    assert "prompt_tokens=27" in line
    until(lambda: list(read(tmp_path / "data" / "usage").values()) == [(1, 27, 8)])


def test_nobody_else_cancels_or_follows_it(
    make_app: Callable[..., Flask], slow: threading.Event
) -> None:
    client = make_app(API_KEY="one,two").test_client()
    id_ = answered(client, key="one", background=True)["id"]
    other = {"X-API-Key": "two"}

    assert client.post(f"{PATH}/{id_}/cancel", headers=other).status_code == 404
    assert client.get(f"{PATH}/{id_}?stream=true", headers=other).status_code == 404
    assert client.delete(f"{PATH}/{id_}", headers=other).status_code == 404
    assert got(client, id_, "one")["status"] in ("queued", "in_progress")


def test_it_joins_its_conversation_at_its_end(client: FlaskClient) -> None:
    conversation: Any = client.post("/v1/conversations", json={}).json
    id_ = answered(client, "One", background=True, conversation=conversation["id"])["id"]
    until(lambda: status(client, id_) == "completed")
    listed: Any = client.get(f"/v1/conversations/{conversation['id']}/items").json

    assert [item["role"] for item in listed["data"]] == ["assistant", "user"]


def test_another_worker_polls_follows_and_cancels_it(
    make_app: Callable[..., Flask], slow: threading.Event
) -> None:
    """Two apps on one folder are two workers to each other."""
    here, there = make_app().test_client(), make_app().test_client()
    id_ = answered(here, background=True)["id"]
    until(lambda: status(there, id_) == "in_progress")
    threading.Timer(0.6, slow.set).start()
    cancelled: Any = there.post(f"{PATH}/{id_}/cancel").json

    assert cancelled["status"] == "cancelled"
    assert types(events(there.get(f"{PATH}/{id_}?stream=true")))[-1] == "response.failed"


def test_another_worker_follows_it_to_its_end(
    make_app: Callable[..., Flask], slow: threading.Event
) -> None:
    here, there = make_app().test_client(), make_app().test_client()
    id_ = answered(here, background=True)["id"]
    threading.Timer(0.3, slow.set).start()
    told = events(there.get(f"{PATH}/{id_}?stream=true"))

    assert types(told)[-1] == "response.completed"
    assert [event["sequence_number"] for event in told] == list(range(len(told)))


def test_one_whose_worker_died_has_failed(
    make_app: Callable[..., Flask], slow: threading.Event
) -> None:
    dying = make_app()
    id_ = answered(dying.test_client(), background=True)["id"]
    until(lambda: status(dying.test_client(), id_) == "in_progress")
    there = make_app().test_client()
    until(lambda: status(there, id_) == "in_progress")
    worker: Worker = dying.extensions["tensoria"].memory._worker
    worker.close()
    found = got(there, id_)
    told = events(there.get(f"{PATH}/{id_}?stream=true&starting_after=900"))

    assert (found["status"], found["error"]["code"]) == ("failed", "server_error")
    assert [(each["type"], each["sequence_number"]) for each in told] == [("response.failed", 901)]


def test_a_disk_that_fails_at_its_end_is_written_when_it_can_be(
    make_app: Callable[..., Flask], slow: threading.Event, log: Lines
) -> None:
    app = make_app()
    client, memory = app.test_client(), app.extensions["tensoria"].memory
    id_ = answered(client, background=True)["id"]
    until(lambda: status(client, id_) == "in_progress")
    aside = memory.aside

    def fail(function: Callable[[], Any]) -> Any:
        raise OSError(28, "No space left on device")

    memory.aside = fail
    slow.set()
    until(lambda: any("waits in memory" in line for line in log.lines))
    assert got(client, id_)["status"] == "completed"
    memory.aside = aside
    there = make_app().test_client()

    until(lambda: status(there, id_) == "completed")


def test_an_explained_one_runs_nothing(make_app: Callable[..., Flask], fake: FakeOllama) -> None:
    app = make_app()
    # An explanation is no answer of OpenAI's.
    app.test_client_class = FlaskClient
    response = app.test_client().post(
        PATH,
        json={"model": "smollm2:135m", "input": "Hi", "background": True},
        headers={"X-Tensoria-Explain": "1"},
    )
    told: Any = response.json

    assert told["object"] == "explanation"
    assert fake.received("/api/chat") == []


def test_an_engine_without_the_model_any_more_makes_it_fail(
    client: FlaskClient, fake: FakeOllama
) -> None:
    fake.script("/api/chat", answer_json({"error": "model 'smollm2:135m' not found"}, 404))
    id_ = answered(client, background=True)["id"]

    until(lambda: status(client, id_) == "failed")
