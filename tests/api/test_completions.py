"""POST /v1/completions, whole and streamed, through the whole service."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.conftest import Lines
from tests.fake_ollama import (
    FakeOllama,
    close,
    error_line,
    generate_done_line,
    generate_line,
    hang,
    stream,
)

PATH = "/v1/completions"
ENGINE = "/api/generate"
ASK: dict[str, Any] = {"model": "smollm2:135m", "prompt": "Hello"}
STREAMED = pytest.mark.parametrize("streamed", [True, False])


@pytest.fixture
def make_app(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Run prompts in their order, as scripts have it; `test_at_a_time.py` has them mixed."""
    return lambda **variables: make_app(**{"MAX_CONCURRENCY": "1", **variables})


def events(response: TestResponse) -> list[Any]:
    """Return what a stream of events held, `[DONE]` as a string."""
    with response:
        texts = [block.removeprefix("data: ") for block in response.text.split("\n\n") if block]
    return [text if text == "[DONE]" else orjson.loads(text) for text in texts]


def error(response: TestResponse) -> tuple[int, str, str | None]:
    told = response.json["error"]  # type: ignore[index]
    return response.status_code, told["code"], told["param"]


def test_a_whole_answer(client: FlaskClient) -> None:
    body = client.post(PATH, json=ASK).json

    assert body is not None
    assert body.pop("id").startswith("cmpl-")
    assert body.pop("created") > 1_700_000_000
    assert body.pop("system_fingerprint").startswith("fp_")
    assert body == {
        "object": "text_completion",
        "model": "smollm2:135m",
        "choices": [{"index": 0, "text": " world", "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11},
    }


def test_the_sequence_of_a_stream(client: FlaskClient) -> None:
    *chunks, done = events(client.post(PATH, json={**ASK, "stream": True}))

    assert [chunk["choices"][0] for chunk in chunks] == [
        {"index": 0, "text": " wo", "logprobs": None, "finish_reason": None},
        {"index": 0, "text": "rld", "logprobs": None, "finish_reason": None},
        {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"},
    ]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)
    assert done == "[DONE]"


def test_usage_is_the_last_chunk_when_asked_for(client: FlaskClient) -> None:
    asked = {**ASK, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events(client.post(PATH, json=asked))

    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert done == "[DONE]"


def test_several_prompts_become_several_choices(client: FlaskClient) -> None:
    body = client.post(PATH, json={**ASK, "prompt": ["a", "b"], "echo": True}).json

    assert body is not None
    assert [(c["index"], c["text"]) for c in body["choices"]] == [(0, "a world"), (1, "b world")]
    assert body["usage"]["total_tokens"] == 22


def test_echo_is_the_first_chunk_of_each_prompt(client: FlaskClient) -> None:
    asked = {**ASK, "prompt": ["a", "b"], "echo": True, "stream": True}
    *chunks, _ = events(client.post(PATH, json=asked))

    said = [(c["choices"][0]["index"], c["choices"][0]["text"]) for c in chunks]
    assert said == [
        (0, "a"), (0, " wo"), (0, "rld"), (0, ""), (1, "b"), (1, " wo"), (1, "rld"), (1, ""),
    ]  # fmt: skip


def test_a_stream_is_lines_when_ndjson_is_accepted(client: FlaskClient) -> None:
    headers = {"Accept": "application/x-ndjson"}
    with client.post(PATH, json={**ASK, "stream": True}, headers=headers) as response:
        chunks = [orjson.loads(line) for line in response.data.splitlines()]

    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@STREAMED
def test_an_error_before_the_first_chunk_has_its_status(
    fake: FakeOllama, client: FlaskClient, streamed: bool
) -> None:
    """The echo waits for it."""
    fake.script(ENGINE, stream([error_line("model runner has unexpectedly stopped")]))
    response = client.post(PATH, json={**ASK, "echo": True, "stream": streamed})

    assert error(response) == (502, "engine_error", None)


@pytest.mark.parametrize("last", [close, error_line("CUDA error")])
def test_an_error_in_the_middle_is_the_last_event(
    fake: FakeOllama, client: FlaskClient, last: Any
) -> None:
    fake.script(ENGINE, stream([generate_line("a"), last]))
    first, failed = events(client.post(PATH, json={**ASK, "stream": True}))

    assert first["choices"][0]["text"] == "a"
    assert failed["error"]["code"] == "engine_error"


@STREAMED
def test_an_error_of_the_second_prompt(
    fake: FakeOllama, client: FlaskClient, streamed: bool
) -> None:
    """In a stream it is an event, and else the status: half an answer is none."""
    fake.script(
        ENGINE,
        stream([generate_line("a"), generate_done_line()]),
        stream([error_line("the input length exceeds the context length")]),
    )
    response = client.post(PATH, json={**ASK, "prompt": ["a", "b"], "stream": streamed})

    if streamed:
        *_, last = events(response)
        assert (last["error"]["code"], last["error"]["param"]) == (
            "context_length_exceeded",
            "prompt",
        )
    else:
        assert error(response) == (400, "context_length_exceeded", "prompt")


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": [1, 2, 3]}, "prompt"),
        ({"n": 5}, "n"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": 0, "echo": True}, "echo"),
        ({"logit_bias": {"7": 1}}, "logit_bias"),
        ({"suffix": "x", "raw": True}, "raw"),
    ],
)
@STREAMED
def test_what_is_not_served_is_refused_before_the_engine_is_asked(
    fake: FakeOllama, client: FlaskClient, members: dict[str, Any], param: str, streamed: bool
) -> None:
    response = client.post(PATH, json={**ASK, "stream": streamed, **members})

    assert response.status_code == 400
    assert error(response)[2] == param
    assert fake.received(ENGINE) == []


def test_the_template_is_brought_back_by_the_extension(
    fake: FakeOllama, client: FlaskClient
) -> None:
    response = client.post(PATH, json={**ASK, "raw": False})

    assert "X-Tensoria-Ignored" not in response.headers
    assert fake.received(ENGINE)[0].json["raw"] is False


@STREAMED
def test_what_was_ignored_and_adjusted_is_told(
    make_app: Callable[..., Flask], streamed: bool
) -> None:
    client = make_app(MAX_TOKENS_LIMIT="10").test_client()
    asked = {**ASK, "max_tokens": 500, "user": "u", "mirostat": 1, "stream": streamed}
    with client.post(PATH, json=asked) as response:
        assert response.headers["X-Tensoria-Ignored"] == "mirostat,user"
        assert response.headers["X-Tensoria-Adjusted"] == "max_tokens=10"


def test_closing_the_answer_in_the_middle_closes_the_engines(
    fake: FakeOllama, client: FlaskClient, log: Lines
) -> None:
    fake.script(ENGINE, stream([generate_line("a"), hang]))
    response = client.post(PATH, json={**ASK, "prompt": ["a", "b"], "stream": True})
    next(response.response)  # type: ignore[call-overload]
    response.close()

    fake.wait_for_disconnect(ENGINE, timeout=2)
    assert "status=499" in log.of_requests()[0]
    assert len(fake.received(ENGINE)) == 1


def test_the_log_counts_every_prompt_and_quotes_none(client: FlaskClient, log: Lines) -> None:
    client.post(PATH, json={**ASK, "prompt": ["secret words", "more of them"]})

    (line,) = log.of_requests()
    assert "prompt_tokens=6" in line
    assert "secret" not in line
