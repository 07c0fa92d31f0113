"""GET /v1/models as Anthropic's clients ask for it."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.conftest import KEY
from tests.fake_ollama import FakeOllama, model_entry

VERSION = {"anthropic-version": "2023-06-01"}
NAMES = ["a:latest", "b:latest", "c:latest"]


@pytest.fixture
def three(fake: FakeOllama) -> None:
    fake.models = [model_entry(name) for name in NAMES]


def ask(client: FlaskClient, path: str = "/v1/models", **query: Any) -> TestResponse:
    return client.get(path, headers=VERSION, query_string=query)


def test_a_list_has_anthropics_shape(client: FlaskClient, three: None) -> None:
    body = ask(client).get_json()

    assert [model["id"] for model in body["data"]] == NAMES
    assert body["data"][0]["display_name"] == "a:latest"
    assert body["data"][0]["created_at"].endswith("Z")
    assert (body["has_more"], body["first_id"], body["last_id"]) == (False, NAMES[0], NAMES[2])


def test_a_page_begins_behind_an_id(client: FlaskClient, three: None) -> None:
    body = ask(client, limit=1, after_id=NAMES[0]).get_json()

    assert ([model["id"] for model in body["data"]], body["has_more"]) == ([NAMES[1]], True)


@pytest.mark.parametrize("limit", ["0", "1001", "x", "²", "9" * 5000])
def test_a_limit_out_of_bounds_is_named(client: FlaskClient, limit: str) -> None:
    response = ask(client, limit=limit)

    assert (response.status_code, response.get_json()["error"]["param"]) == (400, "limit")


def test_one_model_has_anthropics_shape(client: FlaskClient, three: None) -> None:
    body = ask(client, "/v1/models/b").get_json()

    assert (body["type"], body["id"]) == ("model", "b:latest")


def test_an_unknown_model_is_an_error_of_anthropics(client: FlaskClient) -> None:
    response = ask(client, "/v1/models/no")

    assert response.status_code == 404
    assert response.get_json()["error"]["type"] == "not_found_error"


def test_a_wrong_key_is_an_error_of_anthropics(keyed: FlaskClient) -> None:
    response = keyed.get("/v1/models", headers={**VERSION, "x-api-key": f"{KEY}x"})

    assert response.get_json()["error"]["type"] == "authentication_error"


def test_other_clients_have_openais_shape(client: FlaskClient, three: None) -> None:
    body = client.get("/v1/models").get_json()

    assert body["object"] == "list"
