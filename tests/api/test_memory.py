"""What a response remembers of earlier ones, and who may."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.conftest import Lines
from tests.api.remembering import MODEL, PATH, answered, ask, error, message, said
from tests.fake_ollama import FakeOllama, chat_line, done_line, error_line, model_entry, stream

USER = {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}


def test_a_response_says_that_it_is_kept(client: FlaskClient) -> None:
    assert answered(client)["store"] is True


def test_a_follow_up_remembers_the_whole_chain(client: FlaskClient, fake: FakeOllama) -> None:
    first = answered(client, "One", instructions="Be short.")
    second = answered(client, "Two", previous_response_id=first["id"])
    third = answered(client, "Three", previous_response_id=second["id"])

    assert third["previous_response_id"] == second["id"]
    assert said(fake) == [
        ("user", "One"),
        ("assistant", "Hello"),
        ("user", "Two"),
        ("assistant", "Hello"),
        ("user", "Three"),
    ]


def test_one_response_can_be_followed_twice(client: FlaskClient, fake: FakeOllama) -> None:
    first = answered(client, "One")
    answered(client, "Two", previous_response_id=first["id"])
    answered(client, "Other", previous_response_id=first["id"])

    assert said(fake) == [("user", "One"), ("assistant", "Hello"), ("user", "Other")]


def test_a_streamed_response_is_there_when_its_end_is(client: FlaskClient) -> None:
    body = {"model": MODEL, "input": "Hi", "stream": True}
    with client.post(PATH, json=body, buffered=False) as response:
        parts = iter(response.response)
        text = ""
        while "response.completed" not in text:
            text = bytes(next(parts)).decode()
        id_ = text.partition('"id":"resp_')[2].partition('"')[0]
        kept: Any = client.get(f"{PATH}/resp_{id_}").json

        assert kept["status"] == "completed"
        assert kept["store"] is True


def test_an_unknown_response_is_named(client: FlaskClient, fake: FakeOllama) -> None:
    response = ask(client, previous_response_id="resp_none")

    assert error(response) == (400, "previous_response_not_found", "previous_response_id")
    assert "'resp_none'" in message(response)
    assert fake.received("/api/chat") == []


def test_a_link_that_was_deleted_is_named_and_not_forgotten_in_silence(
    client: FlaskClient,
) -> None:
    first = answered(client, "One")
    second = answered(client, "Two", previous_response_id=first["id"])
    assert client.delete(f"{PATH}/{first['id']}").status_code == 200
    response = ask(client, "Three", previous_response_id=second["id"])

    assert error(response) == (400, "previous_response_not_found", "previous_response_id")
    assert first["id"] in message(response)
    assert client.get(f"{PATH}/{second['id']}").status_code == 200


def test_what_was_not_to_be_stored_is_not(client: FlaskClient) -> None:
    answer = answered(client, store=False)

    assert answer["store"] is False
    assert error(client.get(f"{PATH}/{answer['id']}")) == (404, "not_found", None)


def test_a_response_that_fails_in_the_middle_is_kept_as_failed(
    client: FlaskClient, fake: FakeOllama
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), error_line("gone")]))
    with ask(client, stream=True) as response:
        text = response.text
    id_ = "resp_" + text.partition('"id":"resp_')[2].partition('"')[0]
    kept: Any = client.get(f"{PATH}/{id_}").json

    assert "event: response.failed" in text
    assert kept["status"] == "failed"


def test_calls_and_results_of_a_chain_go_together(client: FlaskClient, fake: FakeOllama) -> None:
    fake.models = [model_entry(MODEL, capabilities=("completion", "tools"))]
    call = {"function": {"name": "look", "arguments": {"at": "sky"}}}
    fake.script("/api/chat", stream([chat_line("", tool_calls=[call]), done_line()]))
    tools = [{"type": "function", "name": "look", "parameters": {"type": "object"}}]
    first = answered(client, "Look", tools=tools)
    [called] = first["output"]
    result = {"type": "function_call_output", "call_id": called["call_id"], "output": "blue"}
    second = answered(client, [result], tools=tools, previous_response_id=first["id"])  # type: ignore[arg-type]

    assert second["status"] == "completed"
    assert [role for role, _ in said(fake)] == ["user", "assistant", "tool"]
    assert said(fake)[-1] == ("tool", "blue")


def test_an_item_can_be_named_instead_of_sent(client: FlaskClient, fake: FakeOllama) -> None:
    first = answered(client, "One")
    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    answered(client, [reference, USER])  # type: ignore[arg-type]

    assert said(fake) == [("assistant", "Hello"), ("user", "Hi")]


def test_an_item_that_is_not_there_is_named(client: FlaskClient) -> None:
    response = ask(client, [USER, {"type": "item_reference", "id": "msg_none"}])  # type: ignore[arg-type]

    assert error(response)[::2] == (400, "input[1].id")
    assert "'msg_none'" in message(response)


@pytest.fixture
def shared(make_app: Callable[..., Flask]) -> FlaskClient:
    """A service with two keys."""
    return make_app(API_KEY="one,two").test_client()


def test_nobody_follows_reads_or_deletes_what_is_another_keys(shared: FlaskClient) -> None:
    answer = answered(shared, key="one")
    path, other = f"{PATH}/{answer['id']}", {"X-API-Key": "two"}

    follow_up = ask(shared, key="two", previous_response_id=answer["id"])
    assert error(follow_up) == (400, "previous_response_not_found", "previous_response_id")
    assert shared.get(path, headers=other).status_code == 404
    assert shared.get(f"{path}/input_items", headers=other).status_code == 404
    assert shared.delete(path, headers=other).status_code == 404
    assert shared.post(f"{path}/cancel", headers=other).status_code == 404
    named = [{"type": "item_reference", "id": answer["output"][0]["id"]}]
    assert ask(shared, named, key="two").status_code == 400  # type: ignore[arg-type]
    assert shared.get(path, headers={"X-API-Key": "one"}).status_code == 200


@pytest.fixture
def forgetful(make_app: Callable[..., Flask]) -> FlaskClient:
    """A service that keeps nothing."""
    return make_app(STORE="0").test_client()


def test_without_store_an_answer_says_so(forgetful: FlaskClient, tmp_path: Path) -> None:
    response = ask(forgetful, store=True)
    unasked = ask(forgetful)
    told: Any = response.json

    assert told["store"] is False
    assert response.headers["X-Tensoria-Ignored"] == "store"
    assert "X-Tensoria-Ignored" not in unasked.headers
    assert not (tmp_path / "data" / "memory").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("previous_response_id", "resp_1"), ("conversation", "conv_1"), ("background", True)],
)
def test_without_store_what_needs_it_is_refused_by_name(
    forgetful: FlaskClient, field: str, value: object
) -> None:
    response = ask(forgetful, **{field: value})

    assert error(response) == (400, "unsupported_parameter", field)
    assert "STORE=0" in message(response)


def test_without_store_paths_say_so(forgetful: FlaskClient) -> None:
    for path in (f"{PATH}/resp_1", "/v1/conversations/conv_1"):
        response = forgetful.get(path)
        assert error(response) == (404, "not_found", None)
        assert "STORE=0" in message(response)


def test_a_conversation_and_a_previous_response_exclude_each_other(client: FlaskClient) -> None:
    response = ask(client, previous_response_id="resp_1", conversation="conv_1")

    assert error(response) == (400, "invalid_value", "previous_response_id")


def test_a_disk_that_fails_loses_no_answer(
    make_app: Callable[..., Flask], tmp_path: Path, log: Lines
) -> None:
    (tmp_path / "file").write_text("")
    client = make_app(DATA_DIR=str(tmp_path / "file")).test_client()
    answer = answered(client)

    assert answer["output"][0]["content"][0]["text"] == "Hello"
    assert answer["store"] is False
    assert any("answered and not kept" in line for line in log.lines)


def test_a_disk_that_fails_is_no_fault_of_a_follow_up(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    client = make_app(DATA_DIR=str(tmp_path / "file")).test_client()

    follow_up = ask(client, previous_response_id="resp_1")
    assert error(follow_up) == (503, "storage_unavailable", None)
    assert follow_up.headers["Retry-After"]
    assert client.get(f"{PATH}/resp_1").status_code == 503
    assert ask(client, background=True).status_code == 503


def test_a_full_disk_can_still_be_read(make_app: Callable[..., Flask], fake: FakeOllama) -> None:
    app = make_app()
    client = app.test_client()
    first = answered(client, "One")
    memory = app.extensions["tensoria"].memory
    pages = memory.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    memory.read(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    second = answered(client, "x" * 500_000, previous_response_id=first["id"])

    assert second["store"] is False
    assert said(fake)[0] == ("user", "One")
    assert client.get(f"{PATH}/{first['id']}").status_code == 200


@pytest.mark.parametrize("field", ["previous_response_id", "conversation"])
def test_a_turn_is_a_use_also_where_it_is_not_stored(
    make_app: Callable[..., Flask], field: str
) -> None:
    app = make_app()
    client, memory = app.test_client(), app.extensions["tensoria"].memory
    conversation: Any = client.post("/v1/conversations", json={}).json
    first = answered(client)["id"] if field == "previous_response_id" else conversation["id"]
    now = memory.clock()
    memory.clock = lambda: now + 500
    ask(client, store=False, **{field: first})
    table = "chains" if field == "previous_response_id" else "conversations"
    [(used,)] = memory.read(lambda db: db.execute(f"SELECT used FROM {table}").fetchall())  # noqa: S608

    assert used == now + 500


def test_a_conversation_that_is_deleted_meanwhile_loses_no_answer(
    client: FlaskClient, fake: FakeOllama
) -> None:
    id_: Any = client.post("/v1/conversations", json={}).json["id"]  # type: ignore[index]
    gate = threading.Event()
    fake.script("/api/chat", stream([chat_line("Hel"), gate, done_line()]))
    answers: list[Any] = []
    asking = threading.Thread(
        target=lambda: answers.append(answered(client, conversation=id_, store=False))
    )
    asking.start()
    fake.wait_for_request("/api/chat")
    client.delete(f"/v1/conversations/{id_}")
    gate.set()
    asking.join(10)

    assert answers[0]["status"] == "completed"


def test_the_files_are_the_services_alone(client: FlaskClient, tmp_path: Path) -> None:
    answered(client)
    folder = tmp_path / "data" / "memory"

    for path in (folder, *folder.iterdir()):
        assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path


def test_another_app_on_the_same_folder_remembers(
    make_app: Callable[..., Flask], fake: FakeOllama
) -> None:
    first = answered(make_app().test_client(), "One")
    answered(make_app().test_client(), "Two", previous_response_id=first["id"])

    assert said(fake)[0] == ("user", "One")
