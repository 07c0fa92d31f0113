"""How long an answer took: Server-Timing, and the member `tensoria` that may be asked for."""

from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from tests.fake_ollama import FakeOllama, chat_line, done_line, model_entry, stream

VERBOSE = {"X-Tensoria-Verbose": "1"}
CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {
    "model": "smollm2:135m",
    "messages": [{"role": "user", "content": "Hi"}],
    "user": "u",
}
LAST = done_line(
    load_duration=31_000_000,
    prompt_eval_count=26,
    prompt_eval_duration=260_000_000,
    eval_count=10,
    eval_duration=500_000_000,
)


@pytest.fixture(autouse=True)
def _answers(fake: FakeOllama) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), LAST]))


def phases(header: str) -> dict[str, float]:
    pairs = (entry.split(";dur=") for entry in header.split(", "))
    return {name: float(duration) for name, duration in pairs}


def check_member(member: dict[str, Any]) -> None:
    assert member["ignored"] == ["user"]
    assert member["adjusted"] == {}
    timings = member["timings"]
    assert 0 < timings.pop("first_token_ms") <= timings.pop("total_ms")
    assert timings == {
        "load_ms": 31,
        "prefill_ms": 260,
        "prefill_tokens_per_second": 100,
        "decode_ms": 500,
        "decode_tokens_per_second": 20,
    }


def test_a_whole_answer_tells_its_phases(client: FlaskClient) -> None:
    response = client.post(CHAT, json=HELLO, headers=VERBOSE)
    found = phases(response.headers["Server-Timing"])

    assert (found["load"], found["prefill"], found["decode"]) == (31, 260, 500)
    assert 0 < found["first_token"] <= found["total"]
    check_member(response.get_json()["tensoria"])


@pytest.mark.parametrize("usage", [True, False])
def test_the_last_chunk_of_a_stream_tells_them(client: FlaskClient, usage: bool) -> None:
    body = {**HELLO, "stream": True, "stream_options": {"include_usage": usage}}
    response = client.post(CHAT, json=body, headers=VERBOSE)
    data = [line.removeprefix(b"data: ") for line in response.data.split(b"\n\n") if line]
    chunks = [orjson.loads(line) for line in data[:-1]]

    assert list(phases(response.headers["Server-Timing"])) == ["first_token"]
    assert [chunk for chunk in chunks if "tensoria" in chunk] == chunks[-1:]
    check_member(chunks[-1]["tensoria"])


@pytest.mark.parametrize("headers", [{}, {"X-Tensoria-Verbose": "0"}])
def test_nothing_is_added_unasked(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(CHAT, json=HELLO, headers=headers)

    assert "tensoria" not in response.get_json()
    assert "Server-Timing" in response.headers


def test_embeddings_tell_theirs(fake: FakeOllama, client: FlaskClient) -> None:
    fake.models = [model_entry("all-minilm:l6-v2", capabilities=("embedding",))]
    body = {"model": "all-minilm:l6-v2", "input": "a", "user": "u"}
    response = client.post("/v1/embeddings", json=body, headers=VERBOSE)

    assert list(phases(response.headers["Server-Timing"])) == ["total"]
    assert response.get_json()["tensoria"]["ignored"] == ["user"]
