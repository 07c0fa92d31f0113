"""GET /v1/models and GET /v1/models/{id}."""

import pytest
from flask.testing import FlaskClient

from tests.fake_ollama import FakeOllama, model_entry


def test_the_list_has_each_model_with_its_own_date(client: FlaskClient) -> None:
    assert client.get("/v1/models").json == {
        "object": "list",
        "data": [
            {
                "id": "smollm2:135m",
                "object": "model",
                "created": 1_795_444_637,
                "owned_by": "library",
                "context_length": 4096,
                "trained_context_length": 8192,
                "capabilities": ["completion"],
            }
        ],
    }


def test_no_models_are_an_empty_list_and_not_null(fake: FakeOllama, client: FlaskClient) -> None:
    fake.models = []

    assert client.get("/v1/models").json == {"object": "list", "data": []}


@pytest.mark.parametrize("name", ["mistral", "MISTRAL:latest", "mistral:latest"])
def test_one_model_in_any_spelling(fake: FakeOllama, client: FlaskClient, name: str) -> None:
    fake.models = [model_entry("mistral:latest")]

    assert client.get(f"/v1/models/{name}").json["id"] == "mistral:latest"  # type: ignore[index]


def test_an_unknown_model_returns_404_envelope(client: FlaskClient) -> None:
    response = client.get("/v1/models/smollm")

    assert response.status_code == 404
    assert response.json["error"]["code"] == "model_not_found"  # type: ignore[index]
    assert response.json["error"]["param"] == "model"  # type: ignore[index]
    assert "ollama pull smollm" in response.json["error"]["message"]  # type: ignore[index]
