"""Conversations: made, spoken in, read and forgotten."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.remembering import Json, answered, ask, error, message, said
from tests.fake_ollama import FakeOllama

PATH = "/v1/conversations"


def made(client: FlaskClient, **body: Any) -> Json:
    response = client.post(PATH, json=body)
    assert response.status_code == 200, response.text
    return dict(response.json)  # type: ignore[arg-type]


def texts(client: FlaskClient, id_: str) -> list[tuple[str, str]]:
    listed: Any = client.get(f"{PATH}/{id_}/items?order=asc").json
    return [(item["role"], item["content"][0]["text"]) for item in listed["data"]]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def test_a_conversation_is_made_and_found(client: FlaskClient) -> None:
    conversation = made(client, metadata={"topic": "demo"}, items=[user("Hello there")])

    assert conversation["id"].startswith("conv_")
    assert conversation["metadata"] == {"topic": "demo"}
    assert client.get(f"{PATH}/{conversation['id']}").json == conversation
    assert texts(client, conversation["id"]) == [("user", "Hello there")]


def test_an_empty_one_is_made_of_nothing(client: FlaskClient) -> None:
    conversation = made(client)

    assert conversation["metadata"] == {}
    assert texts(client, conversation["id"]) == []


def test_a_response_joins_its_conversation_and_the_next_one_remembers(
    client: FlaskClient, fake: FakeOllama
) -> None:
    id_ = made(client, items=[user("Before")])["id"]
    first = answered(client, "One", conversation=id_)
    answered(client, "Two", conversation={"id": id_})

    assert first["conversation"] == {"id": id_}
    assert said(fake) == [
        ("user", "Before"),
        ("user", "One"),
        ("assistant", "Hello"),
        ("user", "Two"),
    ]
    assert texts(client, id_)[-2:] == [("user", "Two"), ("assistant", "Hello")]


def test_what_is_not_stored_joins_it_too(client: FlaskClient) -> None:
    id_ = made(client)["id"]
    answer = answered(client, "One", conversation=id_, store=False)

    assert answer["store"] is False
    assert texts(client, id_) == [("user", "One"), ("assistant", "Hello")]


def test_items_are_added_and_taken_out(client: FlaskClient) -> None:
    id_ = made(client, items=[user("One")])["id"]
    added: Any = client.post(f"{PATH}/{id_}/items", json={"items": [user("Two"), user("Three")]})
    two, three = (item["id"] for item in added.json["data"])

    assert client.get(f"{PATH}/{id_}/items/{two}").json == added.json["data"][0]
    removed: Any = client.delete(f"{PATH}/{id_}/items/{two}").json
    assert (removed["id"], removed["object"]) == (id_, "conversation")
    assert texts(client, id_) == [("user", "One"), ("user", "Three")]
    assert client.get(f"{PATH}/{id_}/items/{two}").status_code == 404
    assert client.delete(f"{PATH}/{id_}/items/{two}").status_code == 404
    assert client.get(f"{PATH}/{id_}/items/{three}").status_code == 200


def test_metadata_is_replaced(client: FlaskClient) -> None:
    id_ = made(client, metadata={"a": "1"})["id"]
    updated: Any = client.post(f"{PATH}/{id_}", json={"metadata": {"b": "2"}}).json

    assert updated["metadata"] == {"b": "2"}
    assert client.get(f"{PATH}/{id_}").json == updated


def test_a_deleted_one_is_gone_and_its_responses_stay(client: FlaskClient) -> None:
    id_ = made(client)["id"]
    answer = answered(client, "One", conversation=id_)
    deleted = client.delete(f"{PATH}/{id_}")

    assert deleted.json == {"id": id_, "object": "conversation.deleted", "deleted": True}
    assert client.get(f"{PATH}/{id_}").status_code == 404
    assert client.get(f"/v1/responses/{answer['id']}").json == answer
    response = ask(client, conversation=id_)
    assert error(response) == (400, "conversation_not_found", "conversation")
    assert id_ in message(response)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": "Hi"}, "items"),
        ({"items": [user("x")] * 21}, "items"),
        ({"items": [{"role": "nobody", "content": "x"}]}, "items[0].role"),
        ({"items": [{"type": "item_reference", "id": "msg_x"}]}, "items[0].id"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_a_wrong_body_is_named(client: FlaskClient, body: Json, param: str) -> None:
    assert error(client.post(PATH, json=body)) == (400, "invalid_value", param)


def test_what_means_nothing_is_told(client: FlaskClient) -> None:
    response = client.post(PATH, json={"surprise": 1, "items": [{**user("Hi"), "mood": "good"}]})

    assert response.headers["X-Tensoria-Ignored"] == "items.mood,surprise"


def test_unknown_ones_do_not_exist(client: FlaskClient) -> None:
    path = f"{PATH}/conv_none"
    found: list[TestResponse] = [
        client.get(path),
        client.delete(path),
        client.post(path, json={"metadata": {}}),
        client.get(f"{path}/items"),
        client.post(f"{path}/items", json={"items": []}),
        client.get(f"{path}/items/msg_1"),
        client.delete(f"{path}/items/msg_1"),
    ]

    assert [error(response)[:2] for response in found] == [(404, "not_found")] * 7


def test_another_keys_conversation_does_not_exist(make_app: Callable[..., Flask]) -> None:
    client = make_app(API_KEY="one,two").test_client()
    id_: Any = client.post(PATH, json={}, headers={"X-API-Key": "one"}).json["id"]  # type: ignore[index]
    other = {"X-API-Key": "two"}

    assert client.get(f"{PATH}/{id_}", headers=other).status_code == 404
    assert client.delete(f"{PATH}/{id_}", headers=other).status_code == 404
    assert client.get(f"{PATH}/{id_}/items", headers=other).status_code == 404
    assert ask(client, key="two", conversation=id_).status_code == 400
