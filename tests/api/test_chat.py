"""POST /v1/chat/completions, whole and streamed, through the whole service."""

import socket
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tensoria.api.services import UnwatchedClient
from tests.api.conftest import Lines
from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    close,
    done_line,
    error_line,
    hang,
    stream,
)

PATH = "/v1/chat/completions"
Hello = dict[str, Any]


def events(response: TestResponse) -> list[Any]:
    """Return what a stream of events held, `[DONE]` as a string."""
    with response:
        texts = [block.removeprefix("data: ") for block in response.text.split("\n\n") if block]
    return [text if text == "[DONE]" else orjson.loads(text) for text in texts]


def error(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.json["error"]["code"]  # type: ignore[index]


def test_a_whole_answer(client: FlaskClient, hello: Hello) -> None:
    body = client.post(PATH, json=hello).json

    assert body is not None
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello",
        "refusal": None,
    }
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"] == {"prompt_tokens": 27, "completion_tokens": 8, "total_tokens": 35}
    assert body["id"].startswith("chatcmpl-")


def test_the_sequence_of_a_stream(client: FlaskClient, hello: Hello) -> None:
    response = client.post(PATH, json={**hello, "stream": True})
    *chunks, done = events(response)

    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)
    assert done == "[DONE]"


def test_usage_is_the_last_chunk_when_asked_for(client: FlaskClient, hello: Hello) -> None:
    asked = {**hello, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events(client.post(PATH, json=asked))

    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 27, "completion_tokens": 8, "total_tokens": 35}
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert done == "[DONE]"


def test_two_answers_have_two_ids(client: FlaskClient, hello: Hello) -> None:
    ids = {client.post(PATH, json=hello).json["id"] for _ in range(20)}  # type: ignore[index]

    assert len(ids) == 20


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html", ""])
def test_a_stream_is_events_whatever_is_accepted(
    client: FlaskClient, hello: Hello, accept: str
) -> None:
    response = client.post(PATH, json={**hello, "stream": True}, headers={"Accept": accept})

    assert events(response)[-1] == "[DONE]"
    assert response.mimetype == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in response.headers


def test_a_stream_is_lines_when_ndjson_is_accepted(client: FlaskClient, hello: Hello) -> None:
    headers = {"Accept": "application/x-ndjson, */*;q=0.1"}
    with client.post(PATH, json={**hello, "stream": True}, headers=headers) as response:
        body = response.data
    chunks = [orjson.loads(line) for line in body.splitlines()]

    assert response.mimetype == "application/x-ndjson"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert b"DONE" not in body


@pytest.mark.parametrize("streamed", [True, False])
def test_an_error_before_the_first_chunk_has_its_status_as_json(
    fake: FakeOllama, client: FlaskClient, hello: Hello, streamed: bool
) -> None:
    """The line is an error although Ollama's status is 200, as before 0.12.6."""
    fake.script("/api/chat", stream([error_line("model runner has unexpectedly stopped")]))
    response = client.post(PATH, json={**hello, "stream": streamed})

    assert error(response) == (502, "engine_error")
    assert response.mimetype == "application/json"


def test_an_error_in_the_middle_is_the_last_event(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), error_line("CUDA error")]))
    response = client.post(PATH, json={**hello, "stream": True})
    found = events(response)

    assert response.status_code == 200
    assert found[1]["choices"][0]["delta"] == {"content": "Hel"}
    assert found[-1]["error"]["code"] == "engine_error"
    assert "[DONE]" not in found


def test_an_error_in_the_middle_is_a_line_of_ndjson(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), close]))
    headers = {"Accept": "application/x-ndjson"}
    with client.post(PATH, json={**hello, "stream": True}, headers=headers) as response:
        *_, last = response.data.splitlines()

    assert orjson.loads(last)["error"]["code"] == "engine_error"


def test_an_error_in_the_middle_of_a_whole_answer_is_its_status(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), close]))

    assert error(client.post(PATH, json=hello)) == (502, "engine_error")


def test_silence_in_the_middle_is_a_timeout_event(
    make_app: Callable[..., Flask], fake: FakeOllama, hello: Hello
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    client = make_app(STREAM_IDLE_TIMEOUT="0.2").test_client()
    found = events(client.post(PATH, json={**hello, "stream": True}))

    assert found[-1]["error"]["code"] == "timeout"


@pytest.mark.parametrize("streamed", [True, False])
def test_an_engine_too_slow_for_its_first_token_is_504_and_not_to_be_repeated(
    make_app: Callable[..., Flask], fake: FakeOllama, hello: Hello, streamed: bool
) -> None:
    fake.script("/api/chat", hang)
    client = make_app(OLLAMA_TIMEOUT="0.2").test_client()
    response = client.post(PATH, json={**hello, "stream": streamed})

    assert error(response) == (504, "timeout")
    assert response.headers["x-should-retry"] == "false"


def test_an_engine_that_dies_between_two_requests(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    """503 and never "model not found"; the service itself lives on."""
    assert client.post(PATH, json=hello).status_code == 200
    fake.stop()
    unknown = {**hello, "model": "absent"}

    assert error(client.post(PATH, json=hello)) == (503, "engine_unavailable")
    assert error(client.post(PATH, json={**hello, "stream": True})) == (503, "engine_unavailable")
    assert error(client.post(PATH, json=unknown))[1] in ("engine_unavailable", "model_not_found")
    assert client.get("/health").status_code == 200


def test_an_engine_that_comes_back_is_used_again(
    make_app: Callable[..., Flask], hello: Hello
) -> None:
    with FakeOllama() as first:
        client = make_app(OLLAMA_BASE_URL=first.url).test_client()
        assert client.post(PATH, json=hello).status_code == 200
        port = first.port
    assert error(client.post(PATH, json=hello)) == (503, "engine_unavailable")
    with FakeOllama(port=port):
        assert client.post(PATH, json=hello).status_code == 200


def open_stream(client: FlaskClient, hello: Hello) -> TestResponse:
    return client.post(PATH, json={**hello, "stream": True})


def test_closing_the_answer_in_the_middle_closes_the_engines(
    fake: FakeOllama, client: FlaskClient, hello: Hello, log: Lines
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    response = open_stream(client, hello)
    next(response.response)  # type: ignore[call-overload]
    response.close()

    fake.wait_for_disconnect(timeout=2)
    (line,) = log.of_requests()
    assert "status=499" in line


def test_closing_the_answer_before_it_was_read_closes_the_engines(
    fake: FakeOllama, client: FlaskClient, hello: Hello, log: Lines
) -> None:
    """A generator that was never started would not notice."""
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    open_stream(client, hello).close()

    fake.wait_for_disconnect(timeout=2)
    assert len(log.of_requests()) == 1


class Leaves(UnwatchedClient):
    """A client that is there for so many looks and gone from then on."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def gone(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_leaves_before_the_first_chunk_frees_the_engine(
    fake: FakeOllama, client: FlaskClient, hello: Hello, log: Lines, streamed: bool
) -> None:
    """Half a line is a sign of life from the engine, and a chance to look."""
    fake.script("/api/chat", stream([chat_line("Hel")[:20], hang]))
    response = client.post(
        PATH,
        json={**hello, "stream": streamed},
        environ_overrides={"tensoria.client": Leaves(0)},
    )

    assert error(response) == (499, "client_closed_request")
    fake.wait_for_disconnect(timeout=2)
    assert "status=499" in log.of_requests()[0]


def test_a_client_that_leaves_a_whole_answer_frees_the_engine(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    overrides = {"tensoria.client": Leaves(0)}

    response = client.post(PATH, json=hello, environ_overrides=overrides)
    assert error(response) == (499, "client_closed_request")
    fake.wait_for_disconnect(timeout=2)


def test_a_client_that_leaves_while_the_engine_has_nothing_to_say_frees_it(
    fake: FakeOllama, client: FlaskClient, hello: Hello, log: Lines
) -> None:
    """One that closed its half alone still reads: no stream ends without a word."""
    fake.script("/api/chat", stream([chat_line("Hel"), _pause, chat_line("lo")[:20], hang]))
    overrides = {"tensoria.client": Leaves(1)}
    response = client.post(PATH, json={**hello, "stream": True}, environ_overrides=overrides)
    body = response.data
    response.close()

    assert b"Hel" in body
    assert b"client_closed_request" in body.splitlines()[-2]
    fake.wait_for_disconnect(timeout=2)
    (line,) = log.of_requests()
    assert "status=499" in line


def _pause(exchange: Any) -> None:
    exchange.pause(0.1)


def test_a_client_that_leaves_with_the_last_line_has_its_answer(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    """There is nothing left to save by then, and the log shall not call it a loss."""
    fake.script("/api/chat", stream([chat_line("Hi") + done_line()]))
    overrides = {"tensoria.client": Leaves(0)}

    assert client.post(PATH, json=hello, environ_overrides=overrides).status_code == 200
    streamed = client.post(PATH, json={**hello, "stream": True}, environ_overrides=overrides)
    assert events(streamed)[-1] == "[DONE]"


def test_a_client_that_leaves_a_stream_frees_the_engine_at_the_next_chunk(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    """A write would tell only with the chunk after that."""
    fake.script("/api/chat", stream([chat_line("Hel"), _pause, chat_line("lo"), hang]))
    overrides = {"tensoria.client": Leaves(1)}
    with client.post(PATH, json={**hello, "stream": True}, environ_overrides=overrides) as response:
        body = response.data
        fake.wait_for_disconnect(timeout=2)

    assert b'"lo"' not in body


def test_what_was_ignored_and_adjusted_is_told_on_both_kinds_of_answer(
    make_app: Callable[..., Flask], hello: Hello
) -> None:
    client = make_app(MAX_TOKENS_LIMIT="10").test_client()
    asked = {**hello, "max_tokens": 500, "user": "u", "mirostat": 1}
    answers = []
    for streamed in (True, False):
        with client.post(PATH, json={**asked, "stream": streamed}) as answer:
            answers.append(answer)

    assert {a.headers["X-Tensoria-Ignored"] for a in answers} == {"mirostat,user"}
    assert {a.headers["X-Tensoria-Adjusted"] for a in answers} == {"max_tokens=10"}


def test_an_answer_as_asked_has_no_notice(client: FlaskClient, hello: Hello) -> None:
    response = client.post(PATH, json=hello)

    assert not [name for name, _ in response.headers if name.startswith("X-Tensoria")]


def test_the_engines_words_reach_the_client_without_its_address(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    text = "model requires more system memory (8 GiB) http://10.1.2.3/x /root/.ollama/models/y"
    fake.script("/api/chat", answer_json({"error": text}, 500))
    response = client.post(PATH, json=hello)

    assert error(response) == (503, "model_load_failed")
    assert "8 GiB" in response.text
    assert "10.1.2.3" not in response.text
    assert "/root" not in response.text


def test_an_engine_that_speaks_openai_serves_the_same_endpoint(
    make_app: Callable[..., Flask], fake: FakeOllama, hello: Hello
) -> None:
    speak_openai(fake, "smollm2:135m")
    client = make_app(ENGINE="openai", ENGINE_BASE_URL=fake.url).test_client()

    assert client.post(PATH, json=hello).json["choices"][0]["message"]["content"] == "Hello"  # type: ignore[index]
    assert events(client.post(PATH, json={**hello, "stream": True}))[-1] == "[DONE]"


def test_an_address_where_nobody_listens(make_app: Callable[..., Flask], hello: Hello) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = make_app(OLLAMA_BASE_URL=f"http://127.0.0.1:{port}").test_client()

    assert error(client.post(PATH, json=hello)) == (503, "engine_unavailable")
    assert error(client.get("/v1/models")) == (503, "engine_unavailable")


def test_the_last_line_of_the_engine_may_lack_its_break(
    fake: FakeOllama, client: FlaskClient, hello: Hello
) -> None:
    fake.script("/api/chat", stream([chat_line("Hi"), done_line().rstrip(b"\n")]))

    assert client.post(PATH, json=hello).status_code == 200
    assert events(client.post(PATH, json={**hello, "stream": True}))[-1] == "[DONE]"
