"""Limits as a client sees them: 504 before the first byte, an error event after it."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask

from tests.fake_ollama import LOAD, FakeOllama, answer_json, chat_line, hang, stream

CHAT: dict[str, Any] = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
LIMITS = {
    "LOAD_TIMEOUT": "0.3",
    "OLLAMA_TIMEOUT": "0.3",
    "STREAM_IDLE_TIMEOUT": "0.2",
    "TOTAL_TIMEOUT": "20",
}
MakeApp = Callable[..., Flask]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("passed", ["LOAD_TIMEOUT", "OLLAMA_TIMEOUT"])
def test_a_limit_before_the_first_byte_is_a_504_that_no_client_repeats(
    fake: FakeOllama, make_app: MakeApp, passed: str, streaming: bool
) -> None:
    fake.loaded = [] if passed == "LOAD_TIMEOUT" else None
    fake.script(LOAD, hang)
    fake.script("/api/chat", hang)
    client = make_app(**LIMITS).test_client()
    response = client.post("/v1/chat/completions", json={**CHAT, "stream": streaming})

    assert response.status_code == 504
    assert response.headers["x-should-retry"] == "false"
    error = response.get_json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("server_error", "timeout", None)
    assert f"0.3 seconds ({passed})" in error["message"]


@pytest.mark.parametrize(
    ("limits", "passed"),
    [({}, "0.2 seconds (STREAM_IDLE_TIMEOUT)"), ({"TOTAL_TIMEOUT": "0.1"}, "(TOTAL_TIMEOUT)")],
)
def test_a_limit_after_the_first_byte_is_an_error_event(
    fake: FakeOllama, make_app: MakeApp, limits: dict[str, str], passed: str
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    client = make_app(**{**LIMITS, **limits}).test_client()
    response = client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    events = [orjson.loads(event[6:]) for event in response.data.split(b"\n\n") if event]

    assert response.status_code == 200
    assert events[-2]["choices"][0]["delta"].get("content") == "Hel"
    assert events[-1]["error"]["code"] == "timeout"
    assert passed in events[-1]["error"]["message"]


@pytest.mark.parametrize("streaming", [True, False])
def test_a_load_that_fails_has_its_own_status_and_words(
    fake: FakeOllama, make_app: MakeApp, streaming: bool
) -> None:
    fake.loaded = []
    told = "model requires more system memory (8.0 GiB) than is available (2.0 GiB)"
    fake.script(LOAD, answer_json({"error": told}, 500))
    client = make_app(**LIMITS).test_client()
    response = client.post("/v1/chat/completions", json={**CHAT, "stream": streaming})

    assert response.status_code == 503
    assert response.headers["x-should-retry"] == "false"
    assert response.get_json()["error"]["code"] == "model_load_failed"
    assert told in response.get_json()["error"]["message"]


def test_ready_warns_of_a_wedged_model(fake: FakeOllama, make_app: MakeApp) -> None:
    fake.script("/api/chat", hang)
    client = make_app(OLLAMA_TIMEOUT="0.1", DEFAULT_MODEL="smollm2:135m").test_client()
    for _ in range(2):
        client.post("/v1/chat/completions", json=CHAT)
    fake.wait_for_request(LOAD)
    response = client.get("/ready")

    assert response.status_code == 200
    (warning,) = response.get_json()["warnings"]
    assert "'smollm2:135m' is wedged" in warning
