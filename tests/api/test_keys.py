"""Keys of API_KEYS_FILE through the whole service: limits, models, end users, usage."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tensoria.admission.usage import here
from tensoria.admission.usage_file import read
from tensoria.api.record import Record
from tests.api.conftest import KEY, Lines
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    done_line,
    error_line,
    hang,
    model_entry,
    stream,
)
from tests.waiting import until

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
HEADERS = {"X-API-Key": KEY}
# What the fake's "Hello" takes.
IN, OUT = 27, 8
Open = Callable[..., FlaskClient]


@pytest.fixture
def opened(make_app: Callable[..., Flask], tmp_path: Path) -> Open:
    """Make a client of a service whose file has one key with these options."""

    def make(*options: str, **settings: str) -> FlaskClient:
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        lines = ["[[keys]]", 'name = "ann"', f'sha256 = "{digest}"', *options]
        path = tmp_path / "keys.toml"
        path.write_text("\n".join(lines))
        return make_app(API_KEYS_FILE=str(path), **settings).test_client()

    return make


@pytest.fixture
def used(tmp_path: Path) -> Callable[[], dict[tuple[str, str], tuple[int, int, int]]]:
    """What stands in the files of usage."""
    return lambda: read(tmp_path / "data" / "usage")


Used = Callable[[], dict[tuple[str, str], tuple[int, int, int]]]


def ask(client: FlaskClient, body: Any, path: str = CHAT, **headers: str) -> Any:
    with client.post(path, json=body, headers={**HEADERS, **headers}) as response:
        response.get_data()
    return response


def test_a_key_of_the_file_is_let_in_and_named_in_the_log(opened: Open, log: Lines) -> None:
    client = opened()

    assert client.get("/v1/models", headers=HEADERS).status_code == 200
    assert client.get("/v1/models").status_code == 401
    assert client.get("/nowhere").status_code == 401
    assert client.get("/nowhere", headers={"X-API-Key": "tensoria_x"}).status_code == 401
    assert " key=ann " in log.of_requests()[0] + " "
    assert not [line for line in log.lines if KEY in line]


def test_a_file_without_keys_lets_nobody_in(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    client = make_app(API_KEYS_FILE=str(tmp_path / "none.toml")).test_client()

    assert client.get("/v1/models").status_code == 401
    assert client.get("/health").status_code == 200


def test_an_expired_key_is_401_and_says_so(opened: Open) -> None:
    response = opened("expires = 2020-01-31").get("/v1/models", headers=HEADERS)

    assert response.status_code == 401
    assert response.json["error"]["code"] == "invalid_api_key"  # type: ignore[index]
    assert "it expired on 2020-02-01 at 00:00 UTC" in response.json["error"]["message"]  # type: ignore[index]


def test_the_request_after_the_last_is_429_in_the_envelope(opened: Open, hello: Any) -> None:
    client = opened("requests_per_minute = 2")
    first, second, third = (ask(client, hello) for _ in range(3))

    assert [each.status_code for each in (first, second, third)] == [200, 200, 429]
    assert [each.headers["x-ratelimit-remaining-requests"] for each in (first, second, third)] == [
        "1",
        "0",
        "0",
    ]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-reset-requests"].endswith(("s", "m0s"))
    assert 1 <= int(third.headers["Retry-After"]) <= 60
    assert third.json["error"]["code"] == "rate_limit_exceeded"
    assert third.json["error"]["type"] == "rate_limit_error"


def test_what_runs_nothing_is_not_counted(opened: Open, hello: Any) -> None:
    client = opened("requests_per_minute = 1")
    # An explanation is no chat, so it is not held against that contract.
    plain = FlaskClient(client.application)
    for _ in range(3):
        assert client.get("/v1/models", headers=HEADERS).status_code == 200
        assert ask(client, {**hello, "n": "x"}).status_code == 400
        assert ask(client, {**hello, "model": "absent"}).status_code == 404
        assert ask(plain, hello, **{"X-Tensoria-Explain": "1"}).status_code == 200

    assert ask(client, hello).status_code == 200


@pytest.mark.parametrize("streamed", [True, False])
def test_tokens_are_charged_when_the_answer_is_over(
    opened: Open, hello: Any, streamed: bool
) -> None:
    client = opened(f"tokens_per_minute = {IN + OUT}")
    first = ask(client, {**hello, "stream": streamed})
    second = ask(client, hello)

    assert first.headers["x-ratelimit-limit-tokens"] == str(IN + OUT)
    # A stream's head leaves before anything is known of its tokens.
    left = str(IN + OUT) if streamed else "0"
    assert first.headers["x-ratelimit-remaining-tokens"] == left
    assert second.status_code == 429
    assert second.headers["x-ratelimit-remaining-tokens"] == "0"


def test_a_stream_that_its_client_leaves_is_charged_what_it_had(
    fake: FakeOllama, opened: Open, hello: Any, used: Used
) -> None:
    """Otherwise whoever hangs up before the last chunk would pay for nothing."""
    fake.script("/api/chat", stream([chat_line("a"), chat_line("b"), hang]))
    client = opened("tokens_per_minute = 2")
    response = client.post(CHAT, json={**hello, "stream": True}, headers=HEADERS)
    parts = iter(response.response)
    seen = b""
    while b'"b"' not in seen:
        seen += next(parts)  # type: ignore[arg-type,operator]
    response.close()

    assert ask(client, hello).status_code == 429
    until(lambda: ("ann", "") in used())
    requests, tokens_in, tokens_out = used()["ann", ""]
    assert (requests, tokens_in) == (1, 0)
    assert tokens_out >= 2


def test_so_many_at_a_time_and_the_next_is_429(fake: FakeOllama, opened: Open, hello: Any) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([gate, chat_line("A"), done_line()]))
    client = opened("max_concurrency = 1")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(ask, client, hello)
        fake.wait_for_request("/api/chat")
        refused = ask(client, hello)
        gate.set()

        assert running.result(10).status_code == 200
    assert refused.status_code == 429
    assert "max_concurrency" in refused.json["error"]["message"]
    assert ask(client, hello).status_code == 200


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    "behaviour", [stream([error_line("broken")]), answer_json({"error": "broken"}, 500)]
)
def test_a_request_that_fails_gives_its_place_back(
    fake: FakeOllama, opened: Open, hello: Any, behaviour: Any, streamed: bool
) -> None:
    client = opened("max_concurrency = 1")
    fake.script("/api/chat", behaviour)

    assert {ask(client, {**hello, "stream": streamed}).status_code for _ in range(3)} == {502}


def test_a_request_without_a_place_in_the_queue_gives_its_own_back(
    fake: FakeOllama, opened: Open, hello: Any
) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([gate, chat_line("A"), done_line()]))
    client = opened("max_concurrency = 2", MAX_CONCURRENCY="1", MAX_QUEUE="0")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(ask, client, hello)
        fake.wait_for_request("/api/chat")
        refused = [ask(client, hello) for _ in range(3)]
        gate.set()
        running.result(10)

    assert not [each for each in refused if "max_concurrency" in each.json["error"]["message"]]


def test_a_model_that_the_key_may_not_use_does_not_exist(
    fake: FakeOllama, opened: Open, hello: Any
) -> None:
    fake.models = [model_entry(name) for name in ("smollm2:135m", "mistral:latest")]
    client = opened('models = ["smollm2:135m"]')
    others = [
        ask(client, {**hello, "model": "mistral"}),
        ask(client, {**hello, "model": "mistral", "logprobs": True}),
        ask(client, {"model": "mistral", "prompt": "a"}, "/v1/completions"),
        ask(client, {"model": "mistral", "input": "a"}, EMBEDDINGS),
        ask(client, {**hello, "model": "mistral"}, **{"X-Tensoria-Explain": "1"}),
        client.get("/v1/models/mistral", headers=HEADERS),
        client.get("/v1/compat?model=mistral", headers=HEADERS),
    ]
    listed = client.get("/v1/models", headers=HEADERS).json["data"]  # type: ignore[index]

    assert {each.status_code for each in others} == {404}
    assert {each.json["error"]["code"] for each in others} == {"model_not_found"}
    assert [model["id"] for model in listed] == ["smollm2:135m"]
    assert ask(client, hello).status_code == 200
    asked = [fake.received(path) for path in ("/api/chat", "/api/generate", "/api/embed")]
    assert list(map(len, asked)) == [1, 0, 0]


def test_usage_is_counted_by_key(opened: Open, hello: Any, used: Used) -> None:
    client = opened()
    ask(client, hello)
    ask(client, {**hello, "stream": True, "user": "bob"})
    until(lambda: used() == {("ann", ""): (2, 2 * IN, 2 * OUT)})


def test_embeddings_have_tokens_too(fake: FakeOllama, opened: Open, used: Used) -> None:
    fake.models = [model_entry("all-minilm:l6-v2", capabilities=("embedding",))]
    ask(opened(), {"model": "all-minilm:l6-v2", "input": "Hi"}, EMBEDDINGS)
    until(lambda: used() == {("ann", ""): (1, 3, 0)})


def test_end_users_of_a_key_that_stands_for_many_are_counted_apart(
    opened: Open, hello: Any, used: Used
) -> None:
    client = opened("end_users = true")
    ask(client, {**hello, "user": "bob"})
    ask(client, {**hello, "user": "bob"}, **{"X-OpenWebUI-User-Id": "eve"})
    ask(client, hello)
    until(
        lambda: (
            used()
            == {
                ("ann", ""): (1, IN, OUT),
                ("ann", "bob"): (1, IN, OUT),
                ("ann", "eve"): (1, IN, OUT),
            }
        )
    )


@pytest.mark.parametrize(
    ("options", "turns"), [(["end_users = true"], "A1 B1 A2"), ([], "A1 A2 B1")]
)
def test_end_users_take_turns_where_they_count(
    fake: FakeOllama, opened: Open, options: list[str], turns: str
) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([gate, chat_line("A"), done_line()]))
    client = opened(*options, MAX_CONCURRENCY="1")
    admission = client.application.extensions["tensoria"].admission

    def waiting() -> int:
        return sum(lane.queue.waiting for lane in admission._lanes.values())

    with ThreadPoolExecutor() as pool:
        for number, name in enumerate(("first", "A1", "A2", "B1")):
            message = {"role": "user", "content": name}
            body = {"model": "smollm2:135m", "messages": [message], "user": name[0]}
            pool.submit(ask, client, body)
            if number == 0:
                fake.wait_for_request("/api/chat")
            until(lambda number=number: waiting() == number)
        gate.set()
    order = [each.json["messages"][0]["content"] for each in fake.received("/api/chat")]

    assert " ".join(order[1:]) == turns


def test_a_key_of_the_settings_has_usage_and_no_limits(
    keyed: FlaskClient, hello: Any, used: Used
) -> None:
    response = ask(keyed, hello)
    # printf sk-tensoria-one | sha256sum
    name = "key " + hashlib.sha256(KEY.encode()).hexdigest()[:12]

    assert not [name for name, _ in response.headers if name.startswith("x-ratelimit")]
    until(lambda: used() == {(name, ""): (1, IN, OUT)})


def test_without_keys_nothing_is_kept(client: FlaskClient, hello: Any, tmp_path: Path) -> None:
    ask(client, hello)

    assert not (tmp_path / "data").exists()


def test_the_metrics_key_admits_to_metrics_and_to_nothing_else(
    make_app: Callable[..., Flask],
) -> None:
    """There is nothing at /metrics yet; a key that counts gets as far as 404."""
    client = make_app(API_KEY=KEY, METRICS_KEY="scrape").test_client()
    statuses = {
        (path, key): client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code
        for path in ("/metrics", "/metrics/", "/v1/models", "/nowhere", "/metrics/x", "/ready")
        for key in ("scrape", "wrong")
    }

    assert {status for (path, _), status in statuses.items() if path == "/ready"} == {200}
    admitted = {each for each, status in statuses.items() if status != 401} - {
        ("/ready", "scrape"),
        ("/ready", "wrong"),
    }
    assert admitted == {("/metrics", "scrape"), ("/metrics/", "scrape")}
    assert client.get("/metrics", headers=HEADERS).status_code == 404


def test_a_key_of_the_file_does_not_admit_to_metrics(opened: Open) -> None:
    assert opened().get("/metrics", headers=HEADERS).status_code == 401


@pytest.mark.parametrize(
    ("options", "ignored"), [(["end_users = true"], "metadata,x"), ([], "metadata,user,x")]
)
def test_a_field_that_tells_end_users_apart_is_not_called_ignored(
    opened: Open, hello: Any, options: list[str], ignored: str
) -> None:
    body = {**hello, "user": "bob", "x": 1, "metadata": {"a": "b"}}
    response = ask(opened(*options), body)

    assert response.headers["X-Tensoria-Ignored"] == ignored


@pytest.mark.parametrize(("options", "ignored"), [(["end_users = true"], None), ([], "metadata")])
def test_a_messages_user_is_counted_and_not_called_ignored_where_users_count(
    opened: Open, hello: Any, used: Used, options: list[str], ignored: str | None
) -> None:
    body = {**hello, "max_tokens": 9, "metadata": {"user_id": "bob"}}
    response = ask(opened(*options), body, "/v1/messages")

    assert response.headers.get("X-Tensoria-Ignored") == ignored
    until(lambda: used() == {("ann", "bob" if options else ""): (1, IN, OUT)})


def test_a_page_may_read_what_is_left(opened: Open, hello: Any) -> None:
    page = "https://chat.example.org"
    response = ask(opened("requests_per_minute = 9", CORS_ORIGINS=page), hello, Origin=page)
    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")

    left = {name.lower() for name, _ in response.headers if name.startswith("x-ratelimit")}
    assert len(left) == 3
    assert left <= set(exposed)


def test_an_account_that_is_opened_when_the_request_is_over_is_settled_at_once(
    opened: Open, hello: Any
) -> None:
    """An opening that was abandoned may come so far late."""
    app = opened("max_concurrency = 1").application
    accounts = app.extensions["tensoria"].accounts
    key = app.extensions["tensoria"].keys.check([KEY.encode()])
    late = Record("POST", CHAT, "req_1", None)
    late.write()
    late.opens(accounts.open(key, None, here))

    accounts.open(key, None, here)
