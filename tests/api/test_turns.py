"""Who waits and who is refused, through the whole service; real threads, one slot."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tensoria.api.services import UnwatchedClient
from tensoria.errors import ClientClosed, RequestEnded
from tests.api.conftest import Lines
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    close,
    done_line,
    model_entry,
    stream,
)
from tests.waiting import until

CHAT = "/v1/chat/completions"
KEYS = {"API_KEY": "one,two"}
# The overflow of one slot for one caller.
NARROW = {**KEYS, "MAX_QUEUE": "4"}


class Callers:
    """Sends requests from threads of their own, each by a key."""

    def __init__(self, app: Flask, fake: FakeOllama, pool: ThreadPoolExecutor) -> None:
        self.app = app
        self.fake = fake
        self._pool = pool
        # Closed until `let_go`: the engine answers nobody.
        self.gate = threading.Event()
        fake.script("/api/chat", stream([self.gate, chat_line("A"), done_line()]))

    def ask(self, key: str = "one", path: str = CHAT, **members: Any) -> TestResponse:
        """Ask and read to the end."""
        body = {"messages": [{"role": "user", "content": key}], "model": "smollm2:135m", **members}
        headers = {"X-API-Key": key}
        with self.app.test_client().post(path, json=body, headers=headers) as response:
            response.get_data()
        return response

    def send(self, key: str = "one", **members: Any) -> Future[TestResponse]:
        """Ask, and return when the request runs or waits."""
        before = sum(self.counts())
        sent = self._pool.submit(self.ask, key, **members)
        until(lambda: sum(self.counts()) == before + 1)
        return sent

    def counts(self) -> tuple[int, int]:
        """Return how many run and how many wait."""
        lanes = list(self.app.extensions["tensoria"].admission._lanes.values())
        return sum(x.queue.running for x in lanes), sum(x.queue.waiting for x in lanes)


@pytest.fixture
def start(make_app: Callable[..., Flask], fake: FakeOllama) -> Iterator[Callable[..., Callers]]:
    """Start a service whose engine answers when it is let go; keywords are settings."""
    started = []

    def make(**variables: str) -> Callers:
        started.append(Callers(make_app(**{"MAX_CONCURRENCY": "1", **variables}), fake, pool))
        return started[-1]

    with ThreadPoolExecutor(max_workers=64) as pool:
        yield make
        for callers in started:
            callers.gate.set()


Start = Callable[..., Callers]


@pytest.mark.parametrize("streamed", [True, False])
def test_one_callers_fifty_delay_another_by_one_turn(
    start: Start, fake: FakeOllama, streamed: bool
) -> None:
    callers = start(MAX_QUEUE="100", **KEYS)
    many = [callers.send("one", stream=streamed) for _ in range(50)]
    last = callers.send("two", stream=streamed)
    callers.gate.set()

    assert last.result(timeout=20).status_code == 200
    assert {each.result(timeout=20).status_code for each in many} == {200}
    asked = [request.json["messages"][0]["content"] for request in fake.received("/api/chat")]
    assert asked == ["one", "two", *["one"] * 49]
    assert callers.counts() == (0, 0)


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_that_waited_says_so(start: Start, log: Lines, streamed: bool) -> None:
    callers = start()
    first, second = callers.send(stream=streamed), callers.send(stream=streamed)
    callers.gate.set()
    at_once, waited = first.result(timeout=5).headers, second.result(timeout=5).headers

    assert not {"X-Queue-Position", "X-Queue-Wait-Ms"} & set(at_once.keys())
    assert "queue;" not in at_once["Server-Timing"]
    assert waited["X-Queue-Position"] == "1"
    assert int(waited["X-Queue-Wait-Ms"]) >= 0
    assert "queue;dur=" in waited["Server-Timing"]
    assert [" queue_ms=" in line for line in log.of_requests()] == [False, True]


def test_a_caller_with_its_share_queued_is_429(start: Start) -> None:
    callers = start(**NARROW)
    for _ in range(3):
        callers.send("one")
    refused = callers.ask("one")

    assert refused.status_code == 429
    assert refused.get_json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert callers.send("two")


def test_a_full_queue_is_503(start: Start) -> None:
    callers = start(MAX_QUEUE="0")
    callers.send()
    refused = callers.ask()

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (503, "overloaded")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("streamed", [True, False])
def test_a_turn_that_does_not_come_is_503(start: Start, log: Lines, streamed: bool) -> None:
    callers = start(QUEUE_TIMEOUT="0.05")
    callers.send()
    late = callers.ask(stream=streamed)

    assert (late.status_code, late.get_json()["error"]["code"]) == (503, "overloaded")
    assert "QUEUE_TIMEOUT" in late.get_json()["error"]["message"]
    assert late.headers["Retry-After"]
    assert int(late.headers["X-Queue-Wait-Ms"]) >= 50
    assert " queue_ms=" in log.of_requests()[-1]
    assert callers.counts() == (1, 0)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"n": 99}, "n"),
        ({"temperature": "hot"}, "temperature"),
        ({"model": "nothing"}, "model"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": 7}}}, None),
    ],
)
def test_what_is_wrong_is_told_while_all_slots_are_taken(
    start: Start, members: dict[str, Any], param: str | None
) -> None:
    callers = start(MAX_QUEUE="0")
    callers.send()
    refused = callers.ask(**members)

    assert refused.status_code in (400, 404)
    assert param is None or refused.get_json()["error"]["param"] == param


def test_what_is_checked_before_the_wait_is_sent_unchanged_after_it(
    start: Start, fake: FakeOllama
) -> None:
    """The request is translated twice then; the first time must leave no trace."""
    fake.models = [model_entry(capabilities=("completion", "tools"))]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    members = {"tools": tools, "n": 2, "response_format": {"type": "json_object"}, "stop": "END"}
    callers = start(MAX_CONCURRENCY="1")
    first, second = callers.send(**members), callers.send(**members)
    callers.gate.set()
    first.result(timeout=5)
    second.result(timeout=5)

    sent = [request.json for request in fake.received("/api/chat")]
    for body in sent:
        body["options"].pop("seed")
    assert len({orjson.dumps(body) for body in sent[: len(sent) // 2]}) == len(
        {orjson.dumps(body) for body in sent}
    )


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/models", "/v1/compat", "/"])
def test_other_questions_take_no_ticket(start: Start, path: str) -> None:
    callers = start(MAX_QUEUE="0")
    callers.send()

    assert callers.app.test_client().get(path).status_code == 200


def test_an_explanation_takes_no_ticket(start: Start) -> None:
    callers = start(MAX_QUEUE="0")
    callers.send()
    callers.app.test_client_class = None
    asked = {"messages": [{"role": "user", "content": "Hi"}], "model": "smollm2:135m"}
    headers = {"X-Tensoria-Explain": "1"}

    assert callers.app.test_client().post(CHAT, json=asked, headers=headers).status_code == 200


def test_embeddings_and_chats_do_not_wait_for_each_other(start: Start, fake: FakeOllama) -> None:
    fake.models = [model_entry(capabilities=("completion", "embedding"))]
    callers = start(MAX_QUEUE="0")
    callers.send()
    client = callers.app.test_client()
    asked = {"model": "smollm2:135m", "input": "a"}

    assert client.post("/v1/embeddings", json=asked).status_code == 200


def test_a_batch_of_embeddings_waits_for_another(start: Start, fake: FakeOllama) -> None:
    fake.models = [model_entry(capabilities=("embedding",))]
    callers = start()
    vectors = answer_json({"model": "smollm2:135m", "embeddings": [[1.0]], "prompt_eval_count": 1})

    def answer(exchange: Any) -> None:
        exchange.wait_for(callers.gate)
        vectors(exchange)

    fake.script("/api/embed", answer)
    asked = {"path": "/v1/embeddings", "input": "a", "messages": None}
    first, second = callers.send(**asked), callers.send(**asked)
    assert callers.counts() == (1, 1)
    callers.gate.set()

    assert first.result(timeout=5).status_code == 200
    assert "queue;dur=" in second.result(timeout=5).headers["Server-Timing"]
    assert callers.counts() == (0, 0)


@pytest.mark.parametrize(
    ("path", "members", "turns"),
    [
        (CHAT, {}, 1),
        (CHAT, {"n": 3}, 3),
        ("/v1/completions", {"prompt": ["a", "b"], "n": 2, "messages": None}, 4),
    ],
)
def test_choices_and_prompts_are_charged_as_turns(
    start: Start, path: str, members: dict[str, Any], turns: int
) -> None:
    callers = start()
    callers.fake.script("/api/generate", stream([callers.gate, close]))
    callers.send(path=path, **members)
    (lane,) = callers.app.extensions["tensoria"].admission._lanes.values()
    (line,) = lane.queue._lines.values()

    assert 1 + line.owes == turns


class Leaving(UnwatchedClient):
    """A client that has left, or whose watcher throws when it is asked."""

    def __init__(self, thrown: BaseException | None = None) -> None:
        self.thrown = thrown

    def gone(self) -> bool:
        if self.thrown:
            raise self.thrown
        return True


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    "client", [Leaving(), Leaving(RequestEnded(ClientClosed()))], ids=["asked", "thrown"]
)
def test_a_client_that_leaves_leaves_the_queue(
    start: Start, fake: FakeOllama, log: Lines, streamed: bool, client: Leaving
) -> None:
    callers = start()
    callers.send()
    asked = {"messages": [{"role": "user", "content": "Hi"}], "stream": streamed}
    environ = {"tensoria.client": client}
    left = callers.app.test_client().post(
        CHAT, json={"model": "smollm2:135m", **asked}, environ_overrides=environ
    )

    assert left.status_code == 499
    assert " 499 " in log.of_requests()[-1]
    assert callers.counts() == (1, 0)
    assert len(fake.received("/api/chat")) == 1


@pytest.mark.parametrize("streamed", [True, False])
def test_every_end_gives_the_slot_back(start: Start, fake: FakeOllama, streamed: bool) -> None:
    callers = start(MAX_QUEUE="0")
    callers.gate.set()
    ends = [
        answer_json({"error": "no"}, 500),
        stream([close]),
        stream([chat_line("A"), close]),
        stream([chat_line("A"), done_line()]),
    ]
    for end in ends:
        fake.script("/api/chat", end)
        assert callers.ask(stream=streamed).status_code in (200, 502)
        assert callers.counts() == (0, 0)


def test_a_stream_that_is_not_read_gives_the_slot_back_when_it_is_closed(
    start: Start, fake: FakeOllama
) -> None:
    callers = start(MAX_QUEUE="0")
    fake.script("/api/chat", stream([chat_line("A"), callers.gate, done_line()]))
    asked = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
    response = callers.app.test_client().post(CHAT, json={"model": "smollm2:135m", **asked})
    assert callers.counts() == (1, 0)
    response.close()

    assert callers.counts() == (0, 0)


def test_a_proxy_that_is_trusted_names_the_callers(start: Start) -> None:
    callers = start(MAX_QUEUE="2", TRUSTED_PROXIES="127.0.0.1")
    callers.send()
    callers.send()
    asked = {"messages": [{"role": "user", "content": "Hi"}], "model": "smollm2:135m"}
    client = callers.app.test_client()
    assert client.post(CHAT, json=asked).status_code == 429
    headers = {"X-Forwarded-For": "203.0.113.9"}
    pool = callers._pool
    waiting = pool.submit(client.post, CHAT, json=asked, headers=headers)
    until(lambda: callers.counts() == (1, 2))
    callers.gate.set()

    assert waiting.result(timeout=5).status_code == 200


def test_several_workers_say_what_each_of_them_runs(
    make_app: Callable[..., Flask], log: Lines
) -> None:
    make_app(WEB_CONCURRENCY="2", MAX_CONCURRENCY="5", MAX_QUEUE="10")

    (line,) = [line for line in log.lines if "tensoria.admission" in line]
    assert "it runs 2 of MAX_CONCURRENCY=5 requests of a model at a time, and 5 wait" in line
