"""The real llama.cpp server with the real model: each trap that was found by running it."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tensoria.cli.embedded import Embedded
from tensoria.engine.process import COMMAND, EngineProcess
from tensoria.engine.supervisor import Died, Event, Ready, Supervisor
from tensoria.translate.embeddings import to_embedding_error
from tensoria.translate.models import denied_by_props
from tests.engine.asking import Engine, chat, requests_inside
from tests.engine.demo import demo_engine
from tests.engine.living import is_alive, wait_until_gone

pytestmark = pytest.mark.e2e

# It takes milliseconds; a child that hangs is killed after 5 s.
STOP_SECONDS = 2
PARENT = """
import json, os, queue, sys
from tensoria.engine.supervisor import Supervisor
events = queue.SimpleQueue()
supervisor = Supervisor(json.loads(sys.argv[1]), os.environ, events.put)
supervisor.start()
print(events.get().port, supervisor._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def demo() -> Embedded:
    return demo_engine()


@pytest.fixture(scope="module")
def module_http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(scope="module")
def engine(demo: Embedded, module_http: requests.Session) -> Iterator[Engine]:
    """One for all tests that leave it as it is."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    supervisor = Supervisor(demo.told, demo.environ, events.put)
    supervisor.start()
    ready = events.get(timeout=30)
    assert isinstance(ready, Ready), ready
    yield Engine(ready.port, demo.told["api_key"], module_http)
    supervisor.stop()


Start = Callable[..., EngineProcess]


@pytest.fixture
def start(demo: Embedded) -> Iterator[Start]:
    """Start an engine of the test's own, with some parameters changed."""
    with ExitStack() as stack:

        def run(**told: Any) -> EngineProcess:
            process = EngineProcess(COMMAND, {**demo.told, **told}, demo.environ)
            stack.callback(process.stop, 5)
            return process

        yield run


def test_a_question_of_fact_is_answered(engine: Engine) -> None:
    answer = engine.json("/v1/chat/completions", chat("What is the capital of France?"))
    assert "Paris" in answer["choices"][0]["message"]["content"]


def test_model_has_our_name(engine: Engine) -> None:
    assert [model["id"] for model in engine.json("/v1/models")["data"]] == ["smollm2:135m"]


def test_context_is_divided_between_two_slots(engine: Engine) -> None:
    assert [slot["n_ctx"] for slot in engine.json("/slots")] == [2048, 2048]
    properties = engine.json("/props")
    assert properties["total_slots"] == 2
    assert properties["default_generation_settings"]["n_ctx"] == 2048


def test_template_says_that_it_has_no_place_for_tools(engine: Engine) -> None:
    """Sent all the same, they would be dropped without a word."""
    assert denied_by_props(engine.json("/props")) == {"tools"}


def test_prompt_longer_than_a_slot_is_refused(engine: Engine) -> None:
    response = engine.ask("/v1/chat/completions", chat("word " * 2100))
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "exceed_context_size_error"


def test_default_system_line_is_ours(engine: Engine) -> None:
    """With the line in the model's own file it gets the capital of France wrong."""
    prompt = engine.json("/apply-template", chat("Hi"))["prompt"]
    assert prompt == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_system_line_of_the_caller_replaces_ours(engine: Engine) -> None:
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    prompt = engine.json("/apply-template", {"messages": messages})["prompt"]
    assert prompt.startswith("<|im_start|>system\nBe short.<|im_end|>\n")
    assert "helpful" not in prompt


def test_metrics_are_served(engine: Engine) -> None:
    assert "llamacpp:requests_processing" in engine.ask("/metrics").text


@pytest.mark.parametrize("path", ["/v1/models", "/props", "/slots", "/metrics", "/v1/completions"])
def test_without_the_key_nothing_is_served(engine: Engine, path: str) -> None:
    assert engine.ask(path, Authorization="Bearer other").status_code == 401


def test_health_needs_no_key(engine: Engine) -> None:
    assert engine.ask("/health", Authorization="").json() == {"status": "ok"}


def test_no_page_is_served(engine: Engine) -> None:
    assert engine.ask("/").status_code == 404


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
def test_pages_of_other_origins_are_kept_out(engine: Engine, path: str) -> None:
    """With its defaults the server reflects any Origin, and allows credentials."""
    response = engine.ask(path, Origin="http://evil.example")
    assert response.headers.get("Access-Control-Allow-Origin") != "*"
    assert "evil" not in str(response.headers)


def test_twelve_open_streams_leave_health_a_thread(engine: Engine) -> None:
    """Each stream holds one of the server's threads; with four of them /health hung for 20 s."""
    body = json.dumps(chat("Tell a long story.", stream=True, max_tokens=300)).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {engine.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with ExitStack() as stack:
        for _ in range(12):
            stream = stack.enter_context(socket.create_connection(("127.0.0.1", engine.port)))
            stream.sendall(head + body)
        deadline = time.monotonic() + 20
        while requests_inside(engine) < 12:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = time.monotonic()
        assert engine.ask("/health").status_code == 200
        assert time.monotonic() - started < 5


def test_no_prompt_is_in_the_engines_log(demo: Embedded, http: requests.Session) -> None:
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=demo.environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(demo.told).encode() + b"\n")
    process.stdin.flush()
    port = json.loads(process.stdout.readline())["port"]
    engine = Engine(port, demo.told["api_key"], http)
    engine.json("/v1/chat/completions", chat("Xylophone zeppelin.", max_tokens=5))
    _, log = process.communicate(timeout=10)
    assert b"listening" in log
    assert b"eppelin" not in log


def test_it_stops_at_once(start: Start) -> None:
    """Its destructor hung in 9 of 25 stops that came right after the start."""
    for _ in range(5):
        process = start()
        assert process.wait_ready(20)
        started = time.monotonic()
        process.stop(5)
        assert time.monotonic() - started < STOP_SECONDS


def test_it_stops_at_once_while_the_model_loads(start: Start) -> None:
    """A handler in Python would have to wait: loading keeps the interpreter's lock."""
    for delay in (0.05, 0.1, 0.2, 0.3):
        process = start()
        with suppress(TimeoutError):
            process.wait_ready(delay)
        started = time.monotonic()
        process.stop(5)
        assert time.monotonic() - started < STOP_SECONDS


def test_killed_engine_is_back_on_its_port_with_its_key(
    demo: Embedded, http: requests.Session
) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    supervisor = Supervisor(demo.told, demo.environ, events.put)
    supervisor.start()
    try:
        ready = events.get(timeout=30)
        assert isinstance(ready, Ready)
        assert supervisor._process is not None
        os.kill(supervisor._process.pid, signal.SIGKILL)
        assert isinstance(events.get(timeout=30), Died)
        assert events.get(timeout=30) == ready
        answer = Engine(ready.port, demo.told["api_key"], http).json("/v1/models")
        assert answer["data"][0]["id"] == "smollm2:135m"
    finally:
        supervisor.stop()


def test_parent_killed_leaves_no_engine(demo: Embedded) -> None:
    parent = subprocess.Popen(
        (sys.executable, "-c", PARENT, json.dumps(demo.told)),
        env=demo.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    _port, pid = map(int, parent.stdout.readline().split())
    assert is_alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    wait_until_gone(pid)


def test_busy_port_is_told(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        process = start(port=busy.getsockname()[1])
        assert process.wait_ready(20) is None
        words = process.last_words()
    assert words.startswith("ended with code 1\n")
    assert "couldn't bind HTTP server socket" in words


def test_truncated_model_is_told(start: Start, demo: Embedded, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.gguf"
    with demo.model.path.open("rb") as model:
        truncated.write_bytes(model.read(1_000_000))
    process = start(model=str(truncated))
    assert process.wait_ready(20) is None
    words = process.last_words()
    assert words.startswith("ended with code 1\n")
    assert str(truncated) in words


def test_embeddings_are_refused_in_words_that_the_gateway_knows(engine: Engine) -> None:
    """It is started for chats; the client is told to name another model."""
    response = engine.ask("/v1/embeddings", {"model": "smollm2:135m", "input": "Hi"})
    error = to_embedding_error(response.status_code, response.content, model="smollm2:135m")
    assert response.status_code == 501
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "model")
