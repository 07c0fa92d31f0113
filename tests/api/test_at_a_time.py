"""Several choices and prompts at a time, through the whole service; real threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.test_chat import events
from tests.backends.slots import reading_threads
from tests.backends.test_together import Meeting, by_choice
from tests.fake_ollama import FakeOllama, chat_line, close, done_line, hang, stream
from tests.waiting import until

CHAT = "/v1/chat/completions"
ENGINE = "/api/chat"
HELLO = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}


class House:
    """A service of three slots, and who asks it."""

    def __init__(self, app: Flask, pool: ThreadPoolExecutor) -> None:
        self.app = app
        self._pool = pool

    def ask(self, path: str = CHAT, key: str = "one", **members: Any) -> TestResponse:
        """Ask and read to the end."""
        headers = {"X-API-Key": key}
        body = {**HELLO, **members}
        with self.app.test_client().post(path, json=body, headers=headers) as response:
            response.get_data()
        return response

    def send(self, **members: Any) -> Future[TestResponse]:
        """Ask from a thread."""
        return self._pool.submit(self.ask, **members)

    def counts(self) -> tuple[int, int]:
        """Return how many run and how many wait."""
        lanes = list(self.app.extensions["tensoria"].admission._lanes.values())
        return sum(x.queue.running for x in lanes), sum(x.queue.waiting for x in lanes)


@pytest.fixture
def house(make_app: Callable[..., Flask]) -> Iterator[House]:
    """A service that nothing is left over of."""
    app = make_app(MAX_CONCURRENCY="3", API_KEY="one,two")
    with ThreadPoolExecutor(max_workers=8) as pool:
        house = House(app, pool)
        yield house
        until(lambda: house.counts() == (0, 0) and reading_threads() == 0)


@pytest.mark.parametrize("streamed", [True, False])
def test_three_choices_overlap_in_three_slots(
    fake: FakeOllama, house: House, streamed: bool
) -> None:
    """The engine says no second word before it has been asked for all three."""
    fake.script(ENGINE, Meeting(3).handle)
    response = house.ask(n=3, stream=streamed)

    assert response.status_code == 200
    if streamed:
        *chunks, last = events(response)
        assert last == "[DONE]"
        assert {c["index"] for chunk in chunks for c in chunk["choices"]} == {0, 1, 2}
    else:
        found = response.get_json()["choices"]
        assert [(c["index"], c["message"]["content"]) for c in found] == [
            (index, "AB") for index in range(3)
        ]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    "members",
    [
        {"response_format": {"type": "json_object"}},
        {
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
            "tool_choice": "required",
        },
    ],
    ids=["checked", "forced"],
)
def test_choices_that_are_composed_overlap_as_well(
    fake: FakeOllama, house: House, streamed: bool, members: dict[str, Any]
) -> None:
    meeting = threading.Barrier(3)
    forced = "tools" in members
    text = '{"name": "f", "arguments": {}}' if forced else "{}"

    fake.models[0]["capabilities"] = ["completion", "tools"]
    # The first is opened before the others: its head comes, and then all wait for each other.
    fake.script(ENGINE, stream([lambda _: meeting.wait(5), chat_line(text), done_line()]))
    response = house.ask(n=3, stream=streamed, **members)

    assert response.status_code == 200
    if not streamed:
        messages = [choice["message"] for choice in response.get_json()["choices"]]
        assert [bool(message.get("tool_calls")) for message in messages] == [forced] * 3


def test_one_that_comes_meanwhile_waits_for_one_run_at_most(fake: FakeOllama, house: House) -> None:
    """Three of five choices run; the other caller has the slot of the first that ends."""
    gates = {seed: threading.Event() for seed in range(5, 10)}
    other = threading.Event()

    def handle(exchange: Any) -> None:
        gate = gates.get(exchange.request.json["options"].get("seed"), other)
        stream([chat_line("A"), gate, done_line()])(exchange)

    fake.script(ENGINE, handle)
    many = house.send(n=4, seed=5, stream=True)
    fake.wait_for_request(ENGINE, count=3)
    waits = house.send(key="two")
    until(lambda: house.counts() == (3, 1))
    gates[6].set()
    until(lambda: house.counts() == (3, 0))
    asked = fake.wait_for_request(ENGINE, count=4).json
    assert "seed" not in asked["options"]

    other.set()
    assert waits.result(timeout=5).status_code == 200
    for gate in gates.values():
        gate.set()
    assert many.result(timeout=5).status_code == 200


def test_two_run_at_a_time_where_two_slots_are_left(fake: FakeOllama, house: House) -> None:
    gate = threading.Event()
    fake.script(ENGINE, stream([chat_line("A"), gate, done_line()]))
    other = house.send(key="two")
    fake.wait_for_request(ENGINE)
    many = house.send(n=4, stream=True)
    fake.wait_for_request(ENGINE, count=3)
    assert house.counts() == (3, 0)
    assert len(fake.received(ENGINE)) == 3
    gate.set()

    assert {each.result(timeout=5).status_code for each in (other, many)} == {200}
    assert len(fake.received(ENGINE)) == 5


@pytest.mark.parametrize("streamed", [True, False])
def test_a_choice_that_fails_frees_all_slots(
    fake: FakeOllama, house: House, streamed: bool
) -> None:
    gate = threading.Event()
    talks = stream([chat_line("A"), hang])
    fake.script(ENGINE, by_choice(talks, stream([chat_line("A"), gate, close]), talks))
    asked = house.send(n=3, seed=5, stream=streamed)
    fake.wait_for_request(ENGINE, count=3)
    gate.set()
    response = asked.result(timeout=5)

    error = events(response)[-1] if streamed else response.get_json()
    assert (response.status_code, error["error"]["code"]) == (
        200 if streamed else 502,
        "engine_error",
    )
    fake.wait_for_disconnect(ENGINE, count=2)


def test_a_stream_that_is_left_frees_all_slots(fake: FakeOllama, house: House) -> None:
    fake.script(ENGINE, stream([chat_line("A"), hang]))
    client = house.app.test_client()
    asked = {**HELLO, "n": 3, "stream": True}
    response = client.post(CHAT, json=asked, headers={"X-API-Key": "one"})
    next(iter(response.response))
    fake.wait_for_request(ENGINE, count=3)
    assert house.counts() == (3, 0)
    response.close()

    assert house.counts() == (0, 0)
    fake.wait_for_disconnect(ENGINE, count=3)


def test_the_total_limit_ends_all_runs(fake: FakeOllama, make_app: Callable[..., Flask]) -> None:
    app = make_app(MAX_CONCURRENCY="3", TOTAL_TIMEOUT="0.3")
    fake.script(ENGINE, stream([chat_line("A"), hang]))
    with app.test_client().post(CHAT, json={**HELLO, "n": 3, "stream": True}) as response:
        last = events(response)[-1]

    assert last["error"]["code"] == "timeout"
    assert "TOTAL_TIMEOUT" in last["error"]["message"]
    fake.wait_for_disconnect(ENGINE, count=3)
    until(lambda: reading_threads() == 0)


def test_prompts_are_answered_at_a_time(fake: FakeOllama, house: House) -> None:
    meeting = threading.Barrier(3)

    def say(exchange: Any) -> None:
        said = exchange.request.json["prompt"]
        head = b'{"model":"m","response":"%s","done":false}\n' % said.encode()
        end = b'{"model":"m","response":"","done":true,"done_reason":"stop"}\n'
        stream([head, lambda _: meeting.wait(5), end])(exchange)

    fake.script("/api/generate", say)
    response = house.ask("/v1/completions", prompt=["a", "b", "c"], messages=None)

    found = response.get_json()["choices"]
    assert [(c["index"], c["text"]) for c in found] == [(0, "a"), (1, "b"), (2, "c")]
