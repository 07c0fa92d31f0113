"""GET /v1/compat, and the page that `tensoria compat` prints from the same table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tensoria.cli.compat import page
from tensoria.schemas.endpoints import ENDPOINTS
from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import FakeOllama, answer_json, model_entry


def compat(client: FlaskClient, model: str = "smollm2:135m") -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/v1/compat?model={model}").get_json()
    return answer


def test_the_table_is_that_of_the_engine_and_the_model(
    fake: FakeOllama, client: FlaskClient
) -> None:
    fake.models = [model_entry("smollm2:135m")]
    fake.models[0]["capabilities"] = ["completion"]
    answer = compat(client, "SmolLM2:135m")

    assert answer["engine"] == {"kind": "ollama", "version": "0.32.15"}
    assert answer["model"] == {"id": "smollm2:135m", "capabilities": ["completion"]}
    assert answer["endpoints"].keys() == ENDPOINTS.keys()
    assert answer["endpoints"]["/v1/chat/completions"]["temperature"]["support"] == "honoured"
    assert answer["endpoints"]["/v1/chat/completions"]["user"] == {
        "support": "ignored",
        "changes_answer": False,
        "note": "It tells callers apart for a key marked end_users alone.",
    }


def test_a_capability_that_the_model_lacks_narrows_the_table(
    fake: FakeOllama, client: FlaskClient
) -> None:
    fake.models = [model_entry("smollm2:135m")]
    fake.models[0]["capabilities"] = ["completion"]
    suffix = compat(client)["endpoints"]["/v1/completions"]["suffix"]

    assert suffix["support"] == "refused"
    assert suffix["note"].startswith("Needs a model with the capability 'insert'")


def test_a_model_that_only_embeds_is_not_said_to_chat(
    fake: FakeOllama, client: FlaskClient
) -> None:
    fake.models = [model_entry("all-minilm:l6-v2", capabilities=("embedding",))]
    endpoints = compat(client, "all-minilm:l6-v2")["endpoints"]

    for path, fields in endpoints.items():
        levels = {each["support"] for each in fields.values()}
        assert (levels == {"refused"}) == (path != "/v1/embeddings")
    assert "'completion'" in endpoints["/v1/completions"]["prompt"]["note"]


def test_an_unknown_model_is_404(client: FlaskClient) -> None:
    response = client.get("/v1/compat?model=nope")

    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "model_not_found"


def test_without_a_default_model_the_table_is_the_engines(
    fake: FakeOllama, client: FlaskClient
) -> None:
    fake.script("/api/tags", *[answer_json({"models": []})] * 4)
    answer = client.get("/v1/compat").get_json()

    assert answer["model"] is None
    assert answer["engine"]["kind"] == "ollama"
    assert answer["endpoints"]["/v1/completions"]["suffix"]["support"] == "honoured"


@pytest.mark.parametrize(("owner", "kind"), [("llamacpp", "llamacpp"), ("vllm", "openai")])
def test_an_engine_that_speaks_openai_is_known_by_its_models(
    fake: FakeOllama, make_app: Callable[..., Flask], owner: str, kind: str
) -> None:
    speak_openai(fake, "bge-m3", owned_by=owner)
    app = make_app(ENGINE="openai", ENGINE_BASE_URL=fake.url)
    for query in ("", "?model=bge-m3"):
        answer = app.test_client().get(f"/v1/compat{query}").get_json()
        assert answer["engine"] == {"kind": kind, "version": None}


def test_an_engine_that_is_down_has_no_table(make_app: Callable[..., Flask]) -> None:
    client = make_app(OLLAMA_BASE_URL="http://127.0.0.1:1").test_client()

    assert client.get("/v1/compat").status_code == 503


def test_the_documentation_is_the_page_that_is_printed() -> None:
    """After a change: tensoria compat > docs/compatibility.md."""
    written = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text()
    assert written == page()
