"""GET and DELETE of a response, and the items that it was asked with."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.remembering import PATH, Json, answered, error


def test_what_was_answered_is_what_is_returned(client: FlaskClient) -> None:
    answer = answered(client, metadata={"a": "b"}, instructions="Be short.")

    assert client.get(f"{PATH}/{answer['id']}").json == answer


def test_a_deleted_response_is_gone(client: FlaskClient, tmp_path: Path) -> None:
    answer = answered(client, "a secret of mine")
    path = f"{PATH}/{answer['id']}"

    assert client.delete(path).json == {"id": answer["id"], "object": "response", "deleted": True}
    assert error(client.get(path)) == (404, "not_found", None)
    assert error(client.delete(path)) == (404, "not_found", None)
    assert client.get(f"{path}/input_items").status_code == 404
    files = [each.read_bytes() for each in (tmp_path / "data" / "memory").iterdir()]
    assert not any(b"a secret of mine" in content for content in files)


def asked(client: FlaskClient, id_: str, query: str = "") -> Json:
    response = client.get(f"{PATH}/{id_}/input_items{query}")
    assert response.status_code == 200
    return dict(response.json)  # type: ignore[arg-type]


def test_a_text_is_listed_as_a_message(client: FlaskClient) -> None:
    [item] = asked(client, answered(client, "Hi")["id"])["data"]

    assert item.pop("id").startswith("msg_")
    assert item == {
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": "Hi"}],
    }


def numbered(client: FlaskClient) -> str:
    items: Any = [{"role": "user", "content": str(n), "id": f"msg_{n}"} for n in range(5)]
    return str(answered(client, items)["id"])


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ("", "43210", False),
        ("?order=asc", "01234", False),
        ("?limit=2", "43", True),
        ("?limit=2&order=asc&after=msg_1", "23", True),
        ("?limit=2&after=msg_2", "10", False),
        ("?after=msg_0", "", False),
    ],
)
def test_a_list_in_parts(client: FlaskClient, query: str, ids: str, more: bool) -> None:
    listed = asked(client, numbered(client), query)

    assert [item["id"] for item in listed["data"]] == [f"msg_{n}" for n in ids]
    assert listed["has_more"] is more


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1_0", "limit"),
        ("limit=-1", "limit"),
        ("order=up", "order"),
        ("order=", "order"),
        ("order=asc&order=desc", "order"),
        ("after=msg_none", "after"),
    ],
)
def test_a_wrong_query_is_named(client: FlaskClient, query: str, param: str) -> None:
    response = client.get(f"{PATH}/{numbered(client)}/input_items?{query}")

    assert error(response) == (400, "invalid_value", param)


def test_what_is_to_be_included_has_no_effect_and_is_told(client: FlaskClient) -> None:
    answer = answered(client)
    response = client.get(f"{PATH}/{answer['id']}?include[]=reasoning.encrypted_content")

    assert response.headers["X-Tensoria-Ignored"] == "include"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("stream=true", "stream"),
        ("starting_after=1", "starting_after"),
        ("stream=1", "stream"),
        ("stream=true&starting_after=x", "starting_after"),
    ],
)
def test_a_response_of_a_request_has_no_events_to_come(
    client: FlaskClient, query: str, param: str
) -> None:
    answer = answered(client)

    assert error(client.get(f"{PATH}/{answer['id']}?{query}")) == (400, "invalid_value", param)


def test_a_response_of_a_request_cannot_be_cancelled(client: FlaskClient) -> None:
    answer = answered(client)

    assert client.post(f"{PATH}/{answer['id']}/cancel").status_code == 400


def test_unknown_ids_do_not_exist(client: FlaskClient) -> None:
    for method, path in (
        (client.get, "resp_none"),
        (client.delete, "resp_none"),
        (client.get, "resp_none/input_items"),
        (client.post, "resp_none/cancel"),
    ):
        response = method(f"{PATH}/{path}")
        assert error(response) == (404, "not_found", None)
        assert "'resp_none'" in response.text
