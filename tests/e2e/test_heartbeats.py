"""Streams that are silent: in the queue, while a model loads, in prefill and between two events."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import orjson
import pytest

from tests.e2e.service import (
    GUNICORN,
    ROOT,
    Service,
    clean_environment,
    free_port,
    running,
    running_service,
    wait_for,
)
from tests.e2e.test_leaving import LEAVE
from tests.e2e.test_service import CHAT, LAST_CHUNK, PATH, raw_chat, read_until
from tests.e2e.test_slow_reader import is_read_by, lazy_chat, long_answer
from tests.e2e.test_stopping import _status
from tests.fake_ollama import (
    LOAD,
    Exchange,
    FakeOllama,
    Handler,
    answer_json,
    chat_line,
    close,
    done_line,
    hang,
    stream,
)

pytestmark = pytest.mark.e2e

COMMENT = b": keep-alive\n"
CHUNK = b"D\r\n: keep-alive\n\r\n"
# One slot, one place behind it; more heartbeats a second than a test can miss.
SETTINGS = {"STREAM_HEARTBEAT_SECONDS": "0.2", "MAX_CONCURRENCY": "1", "MAX_QUEUE": "2"}
HELLO = (chat_line("Hel"), chat_line("lo"), done_line())


@pytest.fixture
def service(tmp_path: Path, fake: FakeOllama) -> Iterator[Service]:
    """A service with one slot, and a heartbeat five times a second."""
    with running_service(tmp_path, fake.url, **SETTINGS) as started:
        yield started


Silence = Callable[[FakeOllama, Service, threading.Event], Iterator[None]]


@contextmanager
def in_queue(fake: FakeOllama, service: Service, gate: threading.Event) -> Iterator[None]:
    fake.script("/api/chat", stream([chat_line("A"), gate, done_line()]), stream(HELLO))
    with raw_chat(service, stream=True) as first:
        read_until(first, b'"A"')
        yield
        read_until(first, LAST_CHUNK)


@contextmanager
def in_load(fake: FakeOllama, service: Service, gate: threading.Event) -> Iterator[None]:
    fake.loaded = []

    def load(exchange: Exchange) -> None:
        exchange.wait_for(gate)
        fake.default(exchange.request)(exchange)

    fake.script(LOAD, load)
    fake.script("/api/chat", stream(HELLO))
    yield


@contextmanager
def before_headers(fake: FakeOllama, service: Service, gate: threading.Event) -> Iterator[None]:
    def handle(exchange: Exchange) -> None:
        exchange.wait_for(gate)
        stream(HELLO)(exchange)

    fake.script("/api/chat", handle)
    yield


@contextmanager
def in_prefill(fake: FakeOllama, service: Service, gate: threading.Event) -> Iterator[None]:
    fake.script("/api/chat", stream([gate, *HELLO]))
    yield


@contextmanager
def in_the_middle(fake: FakeOllama, service: Service, gate: threading.Event) -> Iterator[None]:
    first, *rest = HELLO
    fake.script("/api/chat", stream([first, gate, *rest]))
    yield


EARLY = [in_queue, in_load, before_headers, in_prefill]


def read_beats(sock: socket.socket, count: int) -> bytes:
    data = b""
    while data.count(CHUNK) < count:
        received = sock.recv(65536)
        assert received, data
        data += received
    return data


def body_of(answer: bytes) -> bytes:
    """Return a chunked body in one piece; every chunk is whole events, or one comment."""
    framed = answer.partition(b"\r\n\r\n")[2]
    body = b""
    while framed:
        size, _, rest = framed.partition(b"\r\n")
        chunk, framed = rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        assert chunk == COMMENT or COMMENT not in chunk
        assert chunk in (COMMENT, b"") or chunk.endswith(b"\n\n")
        body += chunk
    return body


def content_of(body: bytes) -> str:
    events = body.replace(COMMENT, b"").removesuffix(b"data: [DONE]\n\n").split(b"\n\n")
    chunks = [orjson.loads(event.removeprefix(b"data: ")) for event in events if event]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


@pytest.mark.parametrize("silence", [*EARLY, in_the_middle])
def test_a_silent_stream_has_heartbeats_and_then_its_answer(
    fake: FakeOllama, service: Service, silence: Silence
) -> None:
    gate = threading.Event()
    with silence(fake, service, gate), raw_chat(service, stream=True) as client:
        begun = read_beats(client, 3)
        gate.set()
        answer = begun + read_until(client, LAST_CHUNK)
        client.settimeout(0.7)
        with pytest.raises(TimeoutError):
            client.recv(1)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    body = body_of(answer)
    assert content_of(body) == "Hello"
    assert body.endswith(b"data: [DONE]\n\n")


def test_the_headers_of_a_silent_stream_leave_in_time(fake: FakeOllama, service: Service) -> None:
    fake.script("/api/chat", hang)
    started = time.monotonic()
    with raw_chat(service, stream=True) as client:
        read_beats(client, 1)

    assert 0.2 <= time.monotonic() - started < 2


def test_events_that_are_held_back_leave_room_for_heartbeats(
    fake: FakeOllama, tmp_path: Path
) -> None:
    """The engine talks, and all it says may still be a call that it wrote as text."""
    gate = threading.Event()
    tool = {"name": "weather", "parameters": {"type": "object"}}
    fake.models[0]["capabilities"] = ["completion", "tools"]
    steps = [chat_line('{"name": "wea'), gate, chat_line('ther", "arguments": {}}'), done_line()]
    fake.script("/api/chat", stream(steps))
    offered = [{"type": "function", "function": tool}]
    with (
        running_service(tmp_path, fake.url, **SETTINGS) as service,
        raw_chat(service, stream=True, tools=offered) as client,
    ):
        begun = read_beats(client, 2)
        gate.set()
        body = body_of(begun + read_until(client, LAST_CHUNK))

    assert b'"finish_reason":"tool_calls"' in body
    assert body.endswith(b"data: [DONE]\n\n")


def test_headers_that_leave_early_tell_what_is_known(fake: FakeOllama, service: Service) -> None:
    gate = threading.Event()
    with (
        in_queue(fake, service, gate),
        raw_chat(service, stream=True, user="somebody", max_tokens=-1) as client,
    ):
        head = read_beats(client, 1).partition(b"\r\n\r\n")[0]
        gate.set()
        read_until(client, LAST_CHUNK)
    lines = head.decode().lower().split("\r\n")
    names = {line.partition(":")[0] for line in lines}

    assert "x-queue-position: 1" in lines
    assert "x-tensoria-ignored: user" in lines
    assert "content-type: text/event-stream; charset=utf-8" in lines
    assert "x-request-id" in names
    assert not {"x-queue-wait-ms", "server-timing", "x-tensoria-adjusted"} & names


def test_an_ndjson_stream_has_empty_lines(fake: FakeOllama, service: Service) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([gate, HELLO[0], done_line()]))
    body = orjson.dumps({**CHAT, "stream": True})
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: {service.key}\r\n"
        "Accept: application/x-ndjson\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as client:
        client.sendall(head.encode() + body)
        begun = read_until(client, b"\r\n\r\n1\r\n\n\r\n1\r\n\n\r\n1\r\n\n\r\n")
        gate.set()
        answer = begun + read_until(client, LAST_CHUNK)

    assert b"application/x-ndjson" in answer
    assert b'"content":"Hel"' in answer


def after_a_while(handler: Handler, gate: threading.Event) -> Handler:
    def handle(exchange: Exchange) -> None:
        exchange.wait_for(gate)
        handler(exchange)

    return handle


@pytest.mark.parametrize(
    ("engine", "status", "code"),
    [
        (answer_json({"error": "CUDA error"}, 500), 502, "engine_error"),
        (answer_json({"error": "server busy, please try again"}, 503), 503, "overloaded"),
        (close, 502, "engine_error"),
    ],
)
def test_a_failure_behind_the_headers_is_an_error_event_with_its_code(
    fake: FakeOllama, service: Service, engine: Handler, status: int, code: str
) -> None:
    gate = threading.Event()
    fake.script("/api/chat", after_a_while(engine, gate))
    with raw_chat(service, stream=True) as client:
        begun = read_beats(client, 2)
        gate.set()
        body = body_of(begun + read_until(client, LAST_CHUNK))

    (event,) = [part for part in body.replace(COMMENT, b"").split(b"\n\n") if part]
    assert orjson.loads(event.removeprefix(b"data: "))["error"]["code"] == code
    line = f" error={code} status={status} "
    wait_for(lambda: line in service.log.read_text(), "the line", service.log)


def test_a_turn_that_does_not_come_is_an_error_event(fake: FakeOllama, tmp_path: Path) -> None:
    gate = threading.Event()
    settings = {**SETTINGS, "QUEUE_TIMEOUT": "0.8"}
    with (
        running_service(tmp_path, fake.url, **settings) as service,
        in_queue(fake, service, gate),
        raw_chat(service, stream=True) as client,
    ):
        answer = read_until(client, LAST_CHUNK)
        gate.set()

    assert answer.count(CHUNK) >= 2
    assert b'"code":"overloaded"' in answer
    assert " error=overloaded status=503 " in service.log.read_text()


def test_a_failure_before_the_first_heartbeat_has_its_status(
    fake: FakeOllama, service: Service
) -> None:
    fake.script("/api/chat", answer_json({"error": "CUDA error"}, 500))
    with raw_chat(service, stream=True) as client:
        assert read_until(client, b"\r\n").startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("silence", EARLY)
@LEAVE
def test_a_client_that_leaves_a_stream_before_its_answer_frees_the_engine(
    fake: FakeOllama, service: Service, silence: Silence, leave: Callable[[socket.socket], None]
) -> None:
    gate = threading.Event()
    with silence(fake, service, gate):
        with raw_chat(service, stream=True) as client:
            read_beats(client, 2)
            leave(client)
            if silence in (before_headers, in_prefill):
                fake.wait_for_disconnect(timeout=3)
            wait_for(lambda: " status=499 " in service.log.read_text(), "the line", service.log)
        gate.set()
    fake.script("/api/chat", stream(HELLO))
    with raw_chat(service, stream=True) as client:
        assert b"lo" in read_until(client, LAST_CHUNK)

    assert service.log.read_text().count(" status=499 ") == 1
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("silence", [in_prefill, in_the_middle])
def test_openai_reads_a_stream_with_heartbeats(
    fake: FakeOllama, service: Service, silence: Silence
) -> None:
    gate = threading.Event()
    timer = threading.Timer(1, gate.set)
    with (
        silence(fake, service, gate),
        openai.OpenAI(base_url=f"{service.url}/v1", api_key=service.key, max_retries=0) as client,
    ):
        timer.start()
        chunks = client.chat.completions.create(**CHAT, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    assert text == "Hello"


def test_without_heartbeats_a_stream_waits_in_silence(fake: FakeOllama, tmp_path: Path) -> None:
    gate = threading.Event()
    settings = {**SETTINGS, "STREAM_HEARTBEAT_SECONDS": "0"}
    with (
        running_service(tmp_path, fake.url, **settings) as service,
        in_prefill(fake, service, gate),
        raw_chat(service, stream=True) as client,
    ):
        fake.wait_for_request()
        client.settimeout(0.8)
        with pytest.raises(TimeoutError):
            client.recv(1)
        gate.set()
        client.settimeout(20)
        assert COMMENT not in read_until(client, LAST_CHUNK)


def test_a_client_that_is_behind_gets_no_heartbeat_in_its_events(
    fake: FakeOllama, service: Service
) -> None:
    """And none behind the last event, which it reads long after the answer was over."""
    fake.script("/api/chat", long_answer())
    with lazy_chat(service, stream=True) as client:
        is_read_by(fake, service)
        body = body_of(read_until(client, LAST_CHUNK))
        client.settimeout(0.7)
        with pytest.raises(TimeoutError):
            client.recv(1)

    assert body.endswith(b"data: [DONE]\n\n")


def test_a_stop_ends_a_stream_that_has_not_begun_and_ready_says_no(
    fake: FakeOllama, tmp_path: Path
) -> None:
    fake.script("/api/chat", hang)
    port = free_port()
    environ = {
        **clean_environment(tmp_path),
        **SETTINGS,
        "PYTHONPATH": str(ROOT),
        "OLLAMA_BASE_URL": fake.url,
        "API_PORT": str(port),
        "API_KEY": "one",
        "SHUTDOWN_GRACE_SECONDS": "1",
    }
    ready = b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n"
    with running(GUNICORN, tmp_path, environ) as (process, log):
        service = Service(port=port, key="one", log=log)
        wait_for(lambda: _status(service) == 200, "the first answer", log)
        with raw_chat(service, stream=True) as client, connected(service) as probe:
            begun = read_beats(client, 1)
            probe.sendall(ready)
            assert read_until(probe, b"]}").startswith(b"HTTP/1.1 200 ")
            process.terminate()
            wait_for(lambda: _status(service) is None, "the listener to close", log)
            probe.sendall(ready)
            answer = read_until(probe, b"}}")
            last = body_of(begun + read_until(client, LAST_CHUNK))
        fake.wait_for_disconnect(timeout=3)
        assert process.wait(15) == 0

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"The service is stopping." in answer
    assert b'"code":"service_stopping"' in last
    assert " error=service_stopping status=503 " in log.read_text()


def connected(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)
