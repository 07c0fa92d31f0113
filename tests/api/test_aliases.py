"""MODEL_ALIASES, through the whole service and on both kinds of engine."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import FakeOllama, model_entry

Make = Callable[..., Flask]
ALIAS = "gpt-4o-mini"
ENGINES = pytest.mark.parametrize("engine", ["ollama", "openai"])


def client_of(make: Make, fake: FakeOllama, engine: str, **variables: str) -> FlaskClient:
    variables = {"DEFAULT_MODEL": "smollm2:135m", **variables}
    if engine == "openai":
        speak_openai(fake, "smollm2:135m", "phi:latest")
        variables |= {"ENGINE": "openai", "ENGINE_BASE_URL": fake.url}
    else:
        fake.models = [model_entry("smollm2:135m"), model_entry("phi:latest")]
    return make(**variables).test_client()


def sent(fake: FakeOllama, engine: str) -> str:
    """Return the model of the one chat that the engine got."""
    path = "/api/chat" if engine == "ollama" else "/v1/chat/completions"
    (request,) = fake.received(path)
    name: str = request.json["model"]
    return name


def ask(client: FlaskClient, **fields: Any) -> Any:
    body = {"messages": [{"role": "user", "content": "Hi"}], **fields}
    return client.post("/v1/chat/completions", json=body)


@ENGINES
@pytest.mark.parametrize("name", [ALIAS, "GPT-4o-mini", "gpt-4o-mini:latest"])
def test_the_answer_keeps_the_name_that_was_asked(
    make_app: Make, fake: FakeOllama, engine: str, name: str
) -> None:
    client = client_of(make_app, fake, engine, MODEL_ALIASES=f"{ALIAS}=SmolLM2:135m")
    answer = ask(client, model=name)

    assert answer.json["model"] == name
    assert answer.json["choices"][0]["message"]["content"] == "Hello"
    assert sent(fake, engine) == "smollm2:135m"


@ENGINES
def test_an_alias_is_listed_and_found(make_app: Make, fake: FakeOllama, engine: str) -> None:
    client = client_of(make_app, fake, engine, MODEL_ALIASES=f"{ALIAS}=smollm2:135m,gone=mistral")
    listed = {model["id"]: model for model in client.get("/v1/models").json["data"]}  # type: ignore[index]

    assert set(listed) == {"smollm2:135m", "phi:latest", ALIAS}
    target = {**listed["smollm2:135m"], "id": ALIAS, "alias_of": "smollm2:135m"}
    assert listed[ALIAS] == target
    assert client.get("/v1/models/GPT-4o-Mini").json == target


@ENGINES
def test_the_default_model_may_be_an_alias(make_app: Make, fake: FakeOllama, engine: str) -> None:
    client = client_of(
        make_app, fake, engine, DEFAULT_MODEL="house", MODEL_ALIASES="house=phi:latest"
    )

    assert ask(client).status_code == 200
    assert sent(fake, engine) == "phi:latest"
    assert client.get("/ready").json["warnings"] == []  # type: ignore[index]


@ENGINES
def test_an_alias_of_nothing_is_404_and_a_warning_and_names_both(
    make_app: Make, fake: FakeOllama, engine: str
) -> None:
    client = client_of(make_app, fake, engine, MODEL_ALIASES=f"{ALIAS}=mistral")
    answers = [ask(client, model=ALIAS), client.get(f"/v1/models/{ALIAS}")]
    (warning,) = client.get("/ready").json["warnings"]  # type: ignore[index]

    for answer in answers:
        assert answer.status_code == 404
        assert answer.json["error"]["code"] == "model_not_found"
        assert ALIAS in answer.json["error"]["message"]
        assert "'mistral'" in answer.json["error"]["message"]
    assert ALIAS in warning
    assert "'mistral'" in warning


@ENGINES
def test_an_alias_of_an_alias_leads_nowhere(make_app: Make, fake: FakeOllama, engine: str) -> None:
    client = client_of(make_app, fake, engine, MODEL_ALIASES="a=b,b=smollm2:135m")

    assert ask(client, model="b").status_code == 200
    assert ask(client, model="a").status_code == 404


@ENGINES
def test_an_alias_wins_over_an_installed_model_and_says_so(
    make_app: Make, fake: FakeOllama, engine: str
) -> None:
    client = client_of(make_app, fake, engine, MODEL_ALIASES="phi=smollm2:135m")
    ids = [model["id"] for model in client.get("/v1/models").json["data"]]  # type: ignore[index]
    (warning,) = client.get("/ready").json["warnings"]  # type: ignore[index]

    assert ask(client, model="phi:latest").status_code == 200
    assert sent(fake, engine) == "smollm2:135m"
    assert sorted(ids) == ["phi", "smollm2:135m"]
    assert "hides" in warning
    assert "'phi:latest'" in warning


@pytest.mark.parametrize("target", ["gpt-oss:120b-cloud", "stub:latest"])
def test_an_alias_leads_nobody_off_the_machine(
    make_app: Make, fake: FakeOllama, target: str
) -> None:
    client = client_of(make_app, fake, "ollama", MODEL_ALIASES=f"{ALIAS}={target}")
    fake.models.append(model_entry("stub:latest", remote_host="https://ollama.com:443"))
    answer = ask(client, model=ALIAS)
    (warning,) = client.get("/ready").json["warnings"]  # type: ignore[index]

    assert (answer.status_code, answer.json["error"]["code"]) == (400, "model_not_allowed")
    assert ALIAS in answer.json["error"]["message"]
    assert warning == answer.json["error"]["message"]
    assert fake.received("/api/chat") == []


def test_a_missing_default_alias_names_the_model_to_install(
    make_app: Make, fake: FakeOllama
) -> None:
    client = client_of(
        make_app, fake, "ollama", DEFAULT_MODEL="house", MODEL_ALIASES="house=mistral"
    )
    fake.models = []
    first = client.get("/ready").json["warnings"][0]  # type: ignore[index]

    assert "ollama pull mistral" in first
    assert "'house' stands for 'mistral'" in ask(client).json["error"]["message"]


def test_an_alias_embeds_and_completes(make_app: Make, fake: FakeOllama) -> None:
    client = client_of(make_app, fake, "ollama", MODEL_ALIASES="text-embedding-3-small=all-minilm")
    fake.models.append(model_entry("all-minilm:latest", capabilities=("embedding", "completion")))
    asked = {"model": "text-embedding-3-small"}
    vectors = client.post("/v1/embeddings", json={**asked, "input": "hello"})
    text = client.post("/v1/completions", json={**asked, "prompt": "hello"})

    assert vectors.json["model"] == "text-embedding-3-small"  # type: ignore[index]
    assert text.json["model"] == "text-embedding-3-small"  # type: ignore[index]
    assert fake.received("/api/embed")[0].json["model"] == "all-minilm:latest"
    assert fake.received("/api/generate")[0].json["model"] == "all-minilm:latest"
