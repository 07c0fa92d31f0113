"""`n` and `logprobs` through the whole service, which judges every answer by the contract."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.test_chat import events
from tests.fake_ollama import FakeOllama, chat_line, close, done_line, stream

PATH = "/v1/chat/completions"
ENGINE = "/api/chat"


@pytest.fixture
def make_app(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Run choices in their order, as scripts have it; `test_at_a_time.py` has them mixed."""
    return lambda **variables: make_app(**{"MAX_CONCURRENCY": "1", **variables})


def answer(text: str) -> Any:
    return stream([chat_line(text), done_line(prompt=3, eval=1)])


def test_a_whole_answer_has_every_choice(
    fake: FakeOllama, client: FlaskClient, hello: dict[str, Any]
) -> None:
    fake.script(ENGINE, answer("A"), answer("B"))
    body = client.post(PATH, json={**hello, "n": 2}).json

    assert body is not None
    assert [(c["index"], c["message"]["content"]) for c in body["choices"]] == [(0, "A"), (1, "B")]
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_has_every_choice_and_ends_once(
    fake: FakeOllama, client: FlaskClient, hello: dict[str, Any], usage: bool
) -> None:
    fake.script(ENGINE, answer("A"), answer("B"))
    asked = {**hello, "n": 2, "stream": True, "stream_options": {"include_usage": usage}}
    found = events(client.post(PATH, json=asked))

    assert found[-1] == "[DONE]"
    assert found.count("[DONE]") == 1
    indexes = [choice["index"] for chunk in found[:-1] for choice in chunk["choices"]]
    assert indexes == [0, 0, 0, 1, 1, 1]
    counted = [chunk["usage"] for chunk in found[:-1] if chunk.get("usage")]
    assert [each["total_tokens"] for each in counted] == ([5] if usage else [])


def test_a_later_choice_that_fails_is_the_error_of_a_whole_answer(
    fake: FakeOllama, client: FlaskClient, hello: dict[str, Any]
) -> None:
    fake.script(ENGINE, answer("A"), stream([chat_line("B"), close]))
    response = client.post(PATH, json={**hello, "n": 2})

    assert response.status_code == 502
    assert response.json["error"]["code"] == "engine_error"  # type: ignore[index]


def test_a_later_choice_that_fails_is_an_event_of_a_stream(
    fake: FakeOllama, client: FlaskClient, hello: dict[str, Any]
) -> None:
    fake.script(ENGINE, answer("A"), stream([chat_line("B"), close]))
    response = client.post(PATH, json={**hello, "n": 2, "stream": True})
    *_, last = events(response)

    assert response.status_code == 200
    assert last["error"]["code"] == "engine_error"


@pytest.mark.parametrize(
    ("members", "param", "says"),
    [
        ({"n": 5}, "n", "MAX_CHOICES"),
        ({"n": 0}, "n", "between 1"),
        ({"top_logprobs": 2}, "top_logprobs", "only allowed when 'logprobs'"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "between 0 and 20"),
        ({"logit_bias": {"7": 1}}, "logit_bias", "no place for it"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_what_cannot_be_had_is_refused_before_the_engine_is_asked(
    fake: FakeOllama,
    client: FlaskClient,
    hello: dict[str, Any],
    members: dict[str, Any],
    param: str,
    says: str,
    streamed: bool,
) -> None:
    response = client.post(PATH, json={**hello, "stream": streamed, **members})

    assert response.status_code == 400
    assert response.json["error"]["param"] == param  # type: ignore[index]
    assert says in response.json["error"]["message"]  # type: ignore[index]
    assert fake.received(ENGINE) == []


def test_an_unreadable_log_probability_is_the_engines_fault(
    fake: FakeOllama, client: FlaskClient, hello: dict[str, Any]
) -> None:
    fake.script(ENGINE, stream([chat_line("A"), done_line(logprobs=7)]))
    response = client.post(PATH, json={**hello, "logprobs": True})

    assert response.status_code == 502
