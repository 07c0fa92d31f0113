"""POST /v1/responses, whole and streamed, through the whole service."""

from typing import Any

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.contract.response_streams import check_response_stream
from tests.fake_ollama import (
    FakeOllama,
)

PATH = "/v1/responses"
MODEL = "smollm2:135m"
HI: dict[str, Any] = {"model": MODEL, "input": "Hi"}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


def ask(client: FlaskClient, **members: Any) -> TestResponse:
    return client.post(PATH, json={**HI, **members})


def body(client: FlaskClient, **members: Any) -> dict[str, Any]:
    response = ask(client, **members)
    assert response.status_code == 200, response.text
    return response.json  # type: ignore[return-value]


def events(response: TestResponse) -> list[dict[str, Any]]:
    with response:
        return check_response_stream(response.data)


def sent(fake: FakeOllama) -> dict[str, Any]:
    """Return the last chat that the engine was sent."""
    return orjson.loads(fake.received("/api/chat")[-1].body)  # type: ignore[no-any-return]


def refusal(response: TestResponse) -> tuple[int, str, str]:
    error: Any = response.json
    return response.status_code, error["error"]["code"], error["error"]["param"]


def test_a_whole_answer(client: FlaskClient) -> None:
    answer = body(client)

    assert answer["id"].startswith("resp_")
    assert (answer["object"], answer["status"], answer["model"]) == ("response", "completed", MODEL)
    [message] = answer["output"]
    assert message["content"][0]["text"] == "Hello"
    assert answer["usage"]["input_tokens"] == 27
    assert answer["usage"]["output_tokens"] == 8
    assert answer["store"] is False
    assert answer["created_at"] <= answer["completed_at"]
