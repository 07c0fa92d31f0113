"""An image, from the client to the engine."""

from typing import Any

from flask.testing import FlaskClient

from tests.fake_ollama import FakeOllama, model_entry

CHAT = "/v1/chat/completions"
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


def body(url: str) -> dict[str, Any]:
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
    ]
    return {"model": "smollm2:135m", "messages": [{"role": "user", "content": content}]}


def test_image_reaches_a_model_that_sees(fake: FakeOllama, client: FlaskClient) -> None:
    fake.models = [model_entry(capabilities=("completion", "vision"))]
    response = client.post(CHAT, json=body(f"DATA:image/PNG;charset=x;BASE64,{PNG.rstrip('=')}"))

    assert response.status_code == 200
    assert response.headers["X-Tensoria-Ignored"] == "messages.content.image_url.detail"
    assert fake.received("/api/chat")[0].json["messages"] == [
        {"role": "user", "content": "What is it?", "images": [PNG]}
    ]


def test_model_that_cannot_see_is_never_asked(fake: FakeOllama, client: FlaskClient) -> None:
    response = client.post(CHAT, json=body(f"data:image/png;base64,{PNG}"))
    error = response.get_json()["error"]

    assert response.status_code == 400
    assert error["code"] == "unsupported_parameter"
    assert error["param"] == "messages[0].content[1].image_url.url"
    assert fake.received("/api/chat") == []


def test_nothing_is_fetched_from_an_address(fake: FakeOllama, client: FlaskClient) -> None:
    fake.models = [model_entry(capabilities=("completion", "vision"))]
    response = client.post(CHAT, json=body(f"{fake.url}/api/tags"))

    assert response.status_code == 400
    assert response.get_json()["error"]["param"] == "messages[0].content[1].image_url.url"
    assert fake.requests == []
