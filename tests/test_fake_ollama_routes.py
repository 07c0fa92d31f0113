"""What the fake answers by itself, and how a test tells it otherwise."""

import json
from collections.abc import Iterator

import pytest
import requests

from tests.fake_ollama import (
    LOAD,
    FakeOllama,
    Recording,
    answer_json,
    error_line,
    model_entry,
    stream,
)
from tests.fake_ollama.by_hand import CHAT


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    with FakeOllama() as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as client:
        client.trust_env = False
        yield client


def test_requests_are_kept_as_they_came(fake: FakeOllama, session: requests.Session) -> None:
    session.post(f"{fake.url}/api/chat?a=1", json=CHAT, headers={"X-Mine": "Yes"})
    (request,) = fake.requests
    assert (request.method, request.path, request.query) == ("POST", "/api/chat", "a=1")
    assert request.headers["x-mine"] == "Yes"
    assert request.json == CHAT


def test_handlers_of_a_path_are_used_in_turn_and_the_last_stays(
    fake: FakeOllama, session: requests.Session
) -> None:
    fake.script("/api/version", answer_json({}, 500), answer_json({"version": "1.0.0"}))
    statuses = [session.get(f"{fake.url}/api/version").status_code for _ in range(3)]
    assert statuses == [500, 200, 200]
    fake.script("/api/version")
    assert session.get(f"{fake.url}/api/version").json() == {"version": "0.32.15"}


def test_request_that_only_loads_leaves_the_chat_script_alone(
    fake: FakeOllama, session: requests.Session
) -> None:
    fake.loaded = []
    fake.script("/api/chat", stream([error_line("used")]))
    load = {"model": "smollm2:135m"}
    assert session.post(f"{fake.url}/api/chat", json=load).json()["done_reason"] == "load"
    assert [m["name"] for m in session.get(f"{fake.url}/api/ps").json()["models"]] == [
        "smollm2:135m"
    ]
    assert fake.received("/api/chat") == []
    fake.script(LOAD, answer_json({"error": "no memory"}, 500))
    assert session.post(f"{fake.url}/api/chat", json=load).status_code == 500


def test_request_that_unloads_takes_the_model_out_of_memory(
    fake: FakeOllama, session: requests.Session
) -> None:
    fake.loaded = ["smollm2:135m"]
    answer = session.post(
        f"{fake.url}/api/generate", json={"model": "SMOLLM2:135m", "keep_alive": 0}
    )
    assert (answer.json()["done_reason"], answer.json()["response"]) == ("unload", "")
    assert session.get(f"{fake.url}/api/ps").json() == {"models": []}


@pytest.mark.parametrize(
    ("method", "path", "recorded"),
    [
        ("GET", "/api/nope", "not-found"),
        ("GET", "/api/chat", "wrong-method"),
        ("GET", "/", "root"),
        ("GET", "/api/version", "version"),
        ("HEAD", "/api/tags", "tags-head"),
    ],
)
@pytest.mark.parametrize("release", ["0.9.6", "0.24.0", "0.32.15"])
def test_default_answer_is_the_recorded_one(
    session: requests.Session, release: str, method: str, path: str, recorded: str
) -> None:
    recording = Recording.load(release, recorded)
    with FakeOllama(release) as fake:
        answer = session.request(method, fake.url + path)
    assert (answer.status_code, answer.content) == (recording.status, recording.body)
    headers = dict(recording.headers)
    assert answer.headers["Content-Type"] == headers["Content-Type"]
    assert answer.headers.get("Allow") == headers.get("Allow")


@pytest.mark.parametrize("release", ["0.9.6", "0.24.0", "0.32.15"])
@pytest.mark.parametrize("path", ["/api/tags", "/api/ps"])
def test_lists_have_the_members_that_the_release_has(
    session: requests.Session, release: str, path: str
) -> None:
    recorded = "tags" if path == "/api/tags" else "ps-one"
    real = json.loads(Recording.load(release, recorded).body)["models"][0]
    with FakeOllama(release) as fake:
        listed = session.get(fake.url + path).json()["models"][0]
    assert set(listed) == set(real)
    assert set(listed["details"]) == set(real["details"])


@pytest.mark.parametrize("release", ["0.9.6", "0.24.0", "0.32.15"])
def test_missing_model_is_refused_in_the_words_of_the_release(
    session: requests.Session, release: str
) -> None:
    recording = Recording.load(release, "chat-missing-model")
    with FakeOllama(release) as fake:
        answer = session.post(f"{fake.url}/api/chat", json=recording.request)
    assert (answer.status_code, answer.json()) == (recording.status, json.loads(recording.body))


def test_page_from_elsewhere_is_refused_without_a_body(
    fake: FakeOllama, session: requests.Session
) -> None:
    origin = {"Origin": "https://evil.example"}
    answer = session.get(f"{fake.url}/api/tags", headers=origin)
    assert (answer.status_code, answer.content) == (403, b"")


def test_show_tells_capabilities_and_context(fake: FakeOllama, session: requests.Session) -> None:
    fake.models = [model_entry("llava:latest", capabilities=("completion", "vision"))]
    shown = session.post(f"{fake.url}/api/show", json={"model": "LLaVA"}).json()
    assert shown["capabilities"] == ["completion", "vision"]
    assert shown["model_info"]["llama.context_length"] == 8192


@pytest.mark.parametrize(("name", "status"), [("nope", 404), ("", 400)])
def test_show_refuses_a_model_that_is_not_there(
    fake: FakeOllama, session: requests.Session, name: str, status: int
) -> None:
    answer = session.post(f"{fake.url}/api/show", json={"model": name})
    assert answer.status_code == status


def test_embeddings_have_the_members_of_the_recorded_ones(session: requests.Session) -> None:
    recording = Recording.load("0.32.15", "embed-list")
    with FakeOllama() as fake:
        fake.models = [model_entry("all-minilm:l6-v2", capabilities=("embedding",))]
        answer = session.post(f"{fake.url}/api/embed", json=recording.request).json()
    assert set(answer) == set(json.loads(recording.body))
    assert len(answer["embeddings"]) == 2


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("all-minilm:l6-v2", "embed-empty"),
        ("all-minilm:l6-v2", "embed-empty-list"),
        ("smollm2:135m", "embed-chat-model"),
        ("nope", "embed-missing-model"),
    ],
)
def test_embedding_that_cannot_be_is_answered_as_recorded(
    session: requests.Session, name: str, recorded: str
) -> None:
    recording = Recording.load("0.32.15", recorded)
    with FakeOllama() as fake:
        fake.models = [
            model_entry(),
            model_entry("all-minilm:l6-v2", capabilities=("embedding",)),
        ]
        answer = session.post(f"{fake.url}/api/embed", json=recording.request)
    assert recording.request["model"] == name
    found = {member: answer.json().get(member) for member in json.loads(recording.body)}
    assert (answer.status_code, found) == (recording.status, json.loads(recording.body))
