"""The limits of an answer: which one passed, what is said of it, and over how many runs."""

import math
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tensoria.backends.base import AnswerId
from tensoria.backends.limits import Clock, Limits, Total
from tensoria.backends.ollama import OllamaBackend
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.backends.transport import Transport
from tensoria.config import Settings
from tensoria.errors import BackendTimeout, BackendUnavailable, TensoriaError
from tests.backends.conftest import ANSWER
from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    Handler,
    chat_line,
    done_line,
    generate_done_line,
    generate_line,
    hang,
    stream,
)

Make = Callable[..., OllamaBackend]


class Heard:
    """A watch that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def answered(self) -> None:
        self.told.append("answered")

    def late(self) -> None:
        self.told.append("late")


def over() -> Total:
    return Total(5, time.monotonic() - 1)


def test_each_limit_has_words_of_its_own_with_its_setting_and_its_value() -> None:
    first = Clock(Limits(0.5, 60))
    idle = Clock(Limits(0.5, 60))
    idle.flowing()
    idle.until()
    total = Clock(Limits(0.5, 60, over()))

    assert [clock.error().message for clock in (first, idle, total)] == [
        "The engine did not begin to answer within 0.5 seconds (OLLAMA_TIMEOUT).",
        "The engine stopped in the middle of its answer: nothing came for 60 seconds "
        "(STREAM_IDLE_TIMEOUT).",
        "The answer was not complete after 5 seconds (TOTAL_TIMEOUT).",
    ]


def test_a_first_token_that_is_late_is_told_once_and_one_that_came_too() -> None:
    late, came = Heard(), Heard()
    Clock(Limits(0.5, 60, watch=late)).error()
    clock = Clock(Limits(0.5, 60, watch=came))
    clock.flowing()
    clock.flowing()
    clock.error()

    assert (late.told, came.told) == (["late"], ["answered"])


def test_a_total_that_passes_before_the_first_token_is_not_the_models_fault() -> None:
    heard = Heard()
    Clock(Limits(0.5, 60, over(), heard)).error()

    assert heard.told == []


def test_a_flowing_answer_has_the_pause_until_the_total_is_near() -> None:
    far = Clock(Limits(5, 60, Total(1000, time.monotonic() + 1000)))
    near = Clock(Limits(5, 60, Total(1000, time.monotonic() + 10)))
    far.flowing()
    near.flowing()

    now = time.monotonic()

    assert far.until() == pytest.approx(now + 60, abs=0.5)
    assert near.until() == pytest.approx(now + 10, abs=0.5)


@pytest.mark.parametrize("flows", [False, True])
def test_no_receive_begins_after_the_total(flows: bool) -> None:
    clock = Clock(Limits(5, 60, over()))
    if flows:
        clock.flowing()

    with pytest.raises(BackendTimeout, match="TOTAL_TIMEOUT"):
        clock.until()


def test_the_moment_by_which_something_has_to_come_moves_with_each_receive() -> None:
    clock = Clock(Limits(5, 60))
    waiting = clock.due
    clock.flowing()
    clock.until()

    assert waiting == pytest.approx(time.monotonic() + 5, abs=0.5)
    assert clock.due == pytest.approx(time.monotonic() + 60, abs=0.5)
    assert math.isfinite(clock.due)


def chat(backend: OllamaBackend | OpenAIBackend, **fields: Any) -> list[Any]:
    asked = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
    opened = backend.chat({**asked, **fields}, ANSWER)  # type: ignore[typeddict-item]
    try:
        return [chunk for block in opened for chunk in block]
    finally:
        opened.close()


def complete(backend: OllamaBackend, *prompts: str) -> list[Any]:
    asked: Any = {"model": "smollm2:135m", "prompt": list(prompts)}
    opened = backend.complete(asked, ANSWER)
    try:
        return [chunk for block in opened for chunk in block]
    finally:
        opened.close()


def failure(ask: Callable[[], object]) -> TensoriaError:
    with pytest.raises(TensoriaError) as caught:
        ask()
    return caught.value


def pause(seconds: float) -> Handler:
    return lambda exchange: exchange.pause(seconds)


def lines_for_ever(exchange: Exchange) -> None:
    exchange.send_head(200, [("Transfer-Encoding", "chunked")])
    while True:
        exchange.pause(0.02)
        exchange.send(chat_line("x"))


@pytest.mark.parametrize(
    ("handler", "setting"),
    [
        (hang, "OLLAMA_TIMEOUT"),
        (stream([hang]), "OLLAMA_TIMEOUT"),
        (stream([chat_line("Hel"), hang]), "STREAM_IDLE_TIMEOUT"),
        (lines_for_ever, "TOTAL_TIMEOUT"),
    ],
)
def test_what_passed_is_named(
    fake: FakeOllama, make_backend: Make, handler: Handler, setting: str
) -> None:
    limits = {"OLLAMA_TIMEOUT": "0.3", "STREAM_IDLE_TIMEOUT": "0.2", "TOTAL_TIMEOUT": "0.6"}
    fake.script("/api/chat", handler)
    error = failure(lambda: chat(make_backend(**limits)))

    assert (error.status, error.code) == (504, "timeout")
    assert error.headers == {"x-should-retry": "false"}
    assert f"{limits[setting]} seconds ({setting})" in error.message
    fake.wait_for_disconnect(timeout=2)


def test_a_total_shorter_than_the_wait_for_a_token_ends_that_wait(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script("/api/chat", hang)

    assert "TOTAL_TIMEOUT" in failure(lambda: chat(make_backend(TOTAL_TIMEOUT="0.2"))).message


def test_the_total_counts_over_all_choices(fake: FakeOllama, make_backend: Make) -> None:
    fake.script("/api/chat", stream([chat_line("Hi"), pause(0.4), done_line()]))
    error = failure(lambda: chat(make_backend(TOTAL_TIMEOUT="1"), n=4))

    assert "TOTAL_TIMEOUT" in error.message
    assert len(fake.received("/api/chat")) == 3


def test_the_total_counts_over_all_prompts(fake: FakeOllama, make_backend: Make) -> None:
    fake.script("/api/generate", stream([generate_line("a"), pause(0.4), generate_done_line()]))
    error = failure(lambda: complete(make_backend(TOTAL_TIMEOUT="1"), "a", "b", "c", "d"))

    assert "TOTAL_TIMEOUT" in error.message
    assert len(fake.received("/api/generate")) == 3


def test_the_total_counts_over_all_attempts_at_a_form(fake: FakeOllama, make_backend: Make) -> None:
    """The second attempt has what the first one left."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
    fake.script(
        "/api/chat",
        stream([chat_line("no"), pause(0.3), done_line()]),
        stream([chat_line('{"a":'), pause(0.6), chat_line('"b"}'), done_line()]),
    )
    backend = make_backend(TOTAL_TIMEOUT="0.7", STRUCTURED_RETRY="1")
    error = failure(lambda: chat(backend, response_format=form))

    assert "TOTAL_TIMEOUT" in error.message
    assert len(fake.received("/api/chat")) == 2


def test_each_request_has_a_total_of_its_own(fake: FakeOllama, make_backend: Make) -> None:
    fake.script("/api/chat", stream([chat_line("Hi"), pause(0.3), done_line()]))
    backend = make_backend(TOTAL_TIMEOUT="0.5")

    assert [len(chat(backend)) > 1 for _ in range(3)] == [True] * 3


def test_embeddings_have_a_total(fake: FakeOllama, make_backend: Make) -> None:
    fake.models[0]["capabilities"] = ["embedding"]
    fake.script("/api/embed", hang)
    request: Any = {"model": "smollm2:135m", "input": ["a"]}
    error = failure(lambda: make_backend(TOTAL_TIMEOUT="0.2").embed(request))

    assert "TOTAL_TIMEOUT" in error.message


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        ("/v1/chat/completions", lambda backend: chat(backend, model="m")),
        (
            "/v1/completions",
            lambda backend: backend.complete({"model": "m", "prompt": ["a"]}, ANSWER),
        ),
        ("/v1/embeddings", lambda backend: backend.embed({"model": "m", "input": ["a"]})),
    ],
)
def test_an_engine_that_speaks_openai_has_the_same_limits(
    fake: FakeOllama, path: str, ask: Callable[[OpenAIBackend], object]
) -> None:
    speak_openai(fake, "m")
    fake.script(path, hang)
    told = []
    for limits in ({"OLLAMA_TIMEOUT": "0.2"}, {"TOTAL_TIMEOUT": "0.2"}):
        settings = {"ENGINE": "openai", "ENGINE_BASE_URL": fake.url, **limits}
        backend = OpenAIBackend(Settings.from_env(settings))
        told.append(failure(lambda backend=backend: ask(backend)).message)  # type: ignore[misc]

    assert "0.2 seconds (OLLAMA_TIMEOUT)" in told[0]
    assert "0.2 seconds (TOTAL_TIMEOUT)" in told[1]


def test_a_name_keeps_its_time_when_it_gets_another_one() -> None:
    answer = AnswerId("chatcmpl-1", 7)
    begun = answer.begun(100)

    assert (begun.id, begun.created) == ("chatcmpl-1", 7)
    assert begun.total.seconds == 100
    assert answer.total.seconds == math.inf


def test_an_engine_that_takes_no_connection_is_503_in_its_own_words() -> None:
    """A full backlog drops what comes, as a host behind a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(address)
        transport = Transport(f"http://127.0.0.1:{address[1]}", concurrency=1, connect_seconds=0.3)
        error = failure(lambda: transport.json("GET", "/api/version", seconds=5))
        transport.close()
        for one in filling:
            one.close()

    assert type(error) is BackendUnavailable
    assert "within 0.3 seconds (CONNECT_TIMEOUT)" in error.message


def test_a_question_that_is_not_answered_says_which(fake: FakeOllama, transport: Transport) -> None:
    fake.script("/api/tags", hang)
    error = failure(lambda: transport.json("GET", "/api/tags", seconds=0.2))

    assert error.message == "The engine did not answer /api/tags within 0.2 seconds."


def test_an_engine_that_is_always_ahead_is_ended_by_the_total_too(
    fake: FakeOllama, make_backend: Make
) -> None:
    """No receive waits then, so that no socket's timeout passes."""
    stopped = threading.Event()

    def flood(exchange: Exchange) -> None:
        exchange.send_head(200, [("Transfer-Encoding", "chunked")])
        block = b"".join(exchange.frame(chat_line("x")) for _ in range(100))
        while not stopped.is_set():
            exchange.send_raw(block)

    fake.script("/api/chat", flood)
    backend = make_backend(TOTAL_TIMEOUT="0.4")
    started = time.monotonic()
    error = failure(lambda: chat(backend))
    stopped.set()

    assert "TOTAL_TIMEOUT" in error.message
    assert time.monotonic() - started < 5
