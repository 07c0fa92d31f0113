"""The service as it runs: gunicorn, gevent, sockets, signals, and clients that come and go."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from tests.e2e.service import (
    GUNICORN,
    Service,
    clean_environment,
    free_port,
    running,
    running_service,
    wait_for,
)
from tests.fake_ollama import Exchange, FakeOllama, chat_line, done_line, stream

pytestmark = pytest.mark.e2e

CHAT: dict[str, Any] = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
PATH = "/v1/chat/completions"
# With the line break before it: a head may end in "0" as well (X-Request-ID).
LAST_CHUNK = b"\r\n0\r\n\r\n"


def post(service: Service, http: requests.Session, **fields: Any) -> requests.Response:
    return http.post(
        service.url + PATH, json={**CHAT, **fields}, headers=service.headers, timeout=30
    )


def raw_chat(service: Service, path: str = PATH, **fields: object) -> socket.socket:
    """Send a chat request by hand; the caller reads and closes."""
    body = orjson.dumps({**CHAT, **fields})
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    sock = socket.create_connection(("127.0.0.1", service.port), timeout=20)
    sock.sendall(head.encode() + body)
    return sock


def read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        received = sock.recv(65536)
        assert received, f"the connection ended after {data[-200:]!r}"
        data += received
    return data


def answer_to(service: Service, data: bytes) -> bytes:
    """Send bytes and no more, and return all that comes until the service hangs up."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        with sock.makefile("rb") as file:
            return file.read()


def endless(exchange: Exchange) -> None:
    """Send as fast as the gateway reads, until it leaves."""
    exchange.send_head(
        200, [("Content-Type", "application/x-ndjson"), ("Transfer-Encoding", "chunked")]
    )
    block = b"".join(exchange.frame(chat_line("x" * 20)) for _ in range(200))
    while True:
        exchange.send_raw(block)


class Drain(threading.Thread):
    """Reads all that comes on a connection, as fast as it can."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        self.received = 0

    def run(self) -> None:
        try:
            while data := self._sock.recv(1 << 20):
                self.received += len(data)
        except OSError:
            return


@pytest.fixture
def draining() -> Iterator[Callable[[socket.socket], Drain]]:
    """Read connections in threads until the test is over."""
    opened: list[tuple[socket.socket, Drain]] = []

    def start(sock: socket.socket) -> Drain:
        thread = Drain(sock)
        opened.append((sock, thread))
        thread.start()
        return thread

    yield start
    for sock, thread in opened:
        sock.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        sock.close()


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_whose_engine_is_always_ready_starves_nobody(
    fake: FakeOllama,
    service: Service,
    http: requests.Session,
    draining: Callable[[socket.socket], Drain],
    streamed: bool,
) -> None:
    fake.script("/api/chat", endless)
    draining(raw_chat(service, stream=streamed))
    fake.wait_for_request()
    slowest = 0.0
    for _ in range(20):
        started = time.monotonic()
        assert http.get(f"{service.url}/health", timeout=10).text == '{"status": "ok"}'
        slowest = max(slowest, time.monotonic() - started)

    assert slowest < 0.5


def test_a_body_over_the_limit_is_413_and_does_no_harm(
    service: Service, http: requests.Session
) -> None:
    body = b" " * (41 * 1024 * 1024)
    headers = {**service.headers, "Content-Type": "application/json"}
    answer = http.post(service.url + PATH, data=body, headers=headers, timeout=30)

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"
    assert post(service, http).status_code == 200


def test_a_body_over_the_limit_that_hides_its_length_is_413(
    service: Service, http: requests.Session
) -> None:
    headers = {**service.headers, "Content-Type": "application/json"}
    parts = (b" " * (1024 * 1024) for _ in range(41))
    answer = http.post(service.url + PATH, data=parts, headers=headers, timeout=30)

    assert answer.status_code == 413
    assert post(service, http).status_code == 200


def test_a_body_in_broken_chunks_is_400(service: Service) -> None:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: {service.key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as sock:
        sock.sendall(head.encode() + b"not a size\r\n{}\r\n0\r\n\r\n")
        assert read_until(sock, b"\r\n").startswith(b"HTTP/1.1 400 ")


def test_odd_slashes_are_understood_on_the_wire(service: Service) -> None:
    with raw_chat(service, path="//v1//chat/completions/") as sock:
        assert read_until(sock, b"\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_hundred_streams_at_once_end_right(fake: FakeOllama, service: Service) -> None:
    gate = threading.Event()
    lines = [chat_line(f"{number} ") for number in range(20)]
    fake.script("/api/chat", stream([lines[0], gate, *lines[1:], done_line()]))
    socks = [raw_chat(service, stream=True) for _ in range(100)]
    fake.wait_for_request(count=100, timeout=20)
    gate.set()
    answers = [read_until(sock, LAST_CHUNK) for sock in socks]
    for sock in socks:
        sock.close()

    end = b"data: [DONE]\n\n\r\n0\r\n\r\n"
    whole = [a for a in answers if a.startswith(b"HTTP/1.1 200 ") and b'"19 "' in a]
    assert [a[-300:] for a in answers if a not in whole or not a.endswith(end)] == []
    assert "WARNING" not in service.log.read_text()


def test_connections_to_the_engine_are_shared(
    fake: FakeOllama, service: Service, http: requests.Session
) -> None:
    """The first look at the engine, which the start does not wait for, may have one of its own."""
    http.get(f"{service.url}/ready", headers={"X-API-Key": service.key}).raise_for_status()
    opened = fake.connections_opened
    for number in range(20):
        assert post(service, http, stream=bool(number % 2)).status_code == 200

    assert opened <= 2
    assert fake.connections_opened == opened


def test_a_slow_reader_gets_its_whole_answer(fake: FakeOllama, service: Service) -> None:
    text = "y" * (3 * 1024 * 1024)
    fake.script("/api/chat", stream([chat_line(text), done_line()]))
    with raw_chat(service, stream=True) as sock:
        fake.wait_until_idle()
        answer = read_until(sock, LAST_CHUNK)

    assert answer.count(b"y") >= len(text)


@pytest.fixture
def gunicorn(tmp_path: Path, fake: FakeOllama) -> Iterator[tuple[subprocess.Popen[bytes], Service]]:
    """gunicorn with its process at hand, and its settings in a .env that a test may change."""
    port = free_port()
    environ = {
        **clean_environment(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OLLAMA_BASE_URL": fake.url,
        "API_PORT": str(port),
    }
    (tmp_path / ".env").write_text("API_KEY=one\nLOG_LEVEL=WARNING\n")
    with running(GUNICORN, tmp_path, environ) as (process, log):
        service = Service(port=port, key="one", log=log)
        wait_for(lambda: _status(service) == 200, "the first answer", log)
        yield process, service


def _status(service: Service, key: str = "one") -> int | None:
    headers = {"X-API-Key": key}
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(f"{service.url}/v1/models", headers=headers, timeout=5)
        except requests.ConnectionError:
            return None
        return answer.status_code


Running = tuple[subprocess.Popen[bytes], Service]


def test_a_hup_sees_the_changed_dotenv(gunicorn: Running, tmp_path: Path) -> None:
    process, service = gunicorn
    assert "tensoria.request" not in service.log.read_text()
    (tmp_path / ".env").write_text("API_KEY=two\nLOG_LEVEL=INFO\n")
    process.send_signal(signal.SIGHUP)

    wait_for(lambda: _status(service, "two") == 200, "the new key", service.log)
    wait_for(lambda: _status(service, "one") == 401, "the old worker to end", service.log)
    wait_for(
        lambda: "tensoria.request: GET /v1/models 200" in service.log.read_text(),
        "a line at INFO",
        service.log,
    )


def test_a_hup_with_a_bad_value_ends_nothing(fake: FakeOllama, tmp_path: Path) -> None:
    """Of `tensoria serve`; with a configuration file, gunicorn itself would end on it."""
    command = (sys.executable, "-m", "tensoria", "serve")
    environ = {
        **clean_environment(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OLLAMA_BASE_URL": fake.url,
    }
    port = free_port()
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"API_KEY=one\nAPI_PORT={port}\n")
    with running(command, tmp_path, environ) as (process, log):
        service = Service(port=port, key="one", log=log)
        wait_for(lambda: _status(service) == 200, "the first answer", log)
        dotenv.write_text(f"API_KEY=two\nAPI_PORT={port}\nLOG_LEVEL=loud\n")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "the old settings stay: LOG_LEVEL" in log.read_text(), "the refusal", log)
        wait_for(lambda: log.read_text().count("Booting worker") == 2, "a new worker", log)

        assert _status(service, "one") == 200
        dotenv.write_text(f"API_KEY=two\nAPI_PORT={port}\n")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: _status(service, "two") == 200, "the new key", log)


def test_a_term_ends_every_process_with_status_0(gunicorn: Running) -> None:
    process, service = gunicorn
    workers = _children(process.pid)
    process.terminate()

    assert process.wait(15) == 0
    assert len(workers) == 1
    wait_for(lambda: not any(_lives(pid) for pid in workers), "the workers to end", service.log)


def test_a_term_hangs_up_on_idle_clients_and_lets_an_answer_end(
    gunicorn: Running, fake: FakeOllama
) -> None:
    """Idle connections held up a stop for 30 s, until gunicorn's graceful_timeout."""
    process, service = gunicorn
    last = threading.Event()
    fake.script("/api/chat", stream([chat_line("Hel"), last, chat_line("lo"), done_line()]))
    with (
        socket.create_connection(("127.0.0.1", service.port), timeout=10) as never_used,
        socket.create_connection(("127.0.0.1", service.port), timeout=10) as used,
        raw_chat(service, stream=True) as answered,
    ):
        used.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(used, b'{"status": "ok"}')
        read_until(answered, b"Hel")
        process.terminate()

        assert used.recv(100) == b""
        assert never_used.recv(100) == b""
        last.set()
        assert b"data: [DONE]" in read_until(answered, LAST_CHUNK)
    assert process.wait(15) == 0


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_key_and_no_prompt_reaches_the_log_of_the_process(
    fake: FakeOllama, tmp_path: Path, http: requests.Session
) -> None:
    with running_service(tmp_path, fake.url, LOG_LEVEL="DEBUG", LOG_FORMAT="json") as service:
        post(service, http, messages=[{"role": "user", "content": "canary7f3"}])
        post(service, http, stream=True, user="canary7f3")
        http.get(f"{service.url}/v1/models?q=canary7f3", headers={"X-API-Key": "canary7f3"})
        for not_http in (
            b"GET / HTTP/1.1\r\nX-API-Key canary7f3\r\n\r\n",
            b"\x16canary7f3\r\n\r\n",
        ):
            answer_to(service, not_http)
        answer_to(service, b"GET / HTTP/1.1\r\nX-API-Key: canary7f3")
        wait_for(lambda: service.log.read_text().count('"status":') >= 3, "lines", service.log)
        wait_for(lambda: "NoMoreData" in service.log.read_text(), "the last one", service.log)
        lines = service.log.read_text()

    assert "canary7f3" not in lines
    assert service.key not in lines
    requests_told = [orjson.loads(line) for line in lines.splitlines() if '"status":' in line]
    assert {line["severity"] for line in requests_told} == {"INFO"}
