"""What the tests of the memory ask and look at."""

from typing import Any

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fake_ollama import FakeOllama

PATH = "/v1/responses"
MODEL = "smollm2:135m"
Json = dict[str, Any]


def ask(client: FlaskClient, text: str = "Hi", key: str = "", **members: Any) -> TestResponse:
    headers = {"X-API-Key": key} if key else {}
    return client.post(PATH, json={"model": MODEL, "input": text, **members}, headers=headers)


def answered(client: FlaskClient, text: str = "Hi", key: str = "", **members: Any) -> Json:
    response = ask(client, text, key, **members)
    assert response.status_code == 200, response.text
    return dict(response.json)  # type: ignore[arg-type]


def error(response: TestResponse) -> tuple[int, str, str | None]:
    told: Any = response.json
    return response.status_code, told["error"]["code"], told["error"]["param"]


def message(response: TestResponse) -> str:
    told: Any = response.json
    return str(told["error"]["message"])


def said(fake: FakeOllama) -> list[tuple[str, str]]:
    """Return who said what in the last chat that the engine was sent."""
    body = orjson.loads(fake.received("/api/chat")[-1].body)
    return [(each["role"], each["content"]) for each in body["messages"]]


def events(response: TestResponse) -> list[Json]:
    """Return the events of a stream, comments left out."""
    with response:
        blocks = response.get_data().decode().split("\n\n")
    lines = [line for block in blocks for line in block.split("\n")]
    return [orjson.loads(line[6:]) for line in lines if line.startswith("data: ")]
