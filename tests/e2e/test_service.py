"""The service as it runs: gunicorn, gevent, sockets, signals, and clients that come and go."""

import socket
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
    Service,
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


def test_empty_variables_are_unset_for_gunicorn_too(fake: FakeOllama, tmp_path: Path) -> None:
    """docker-compose.yml passes what is not set as an empty variable, and gunicorn reads one."""
    command = (sys.executable, "-m", "tensoria", "serve")
    empty = {"WEB_CONCURRENCY": "", "MAX_QUEUE": "", "LOG_LEVEL": ""}
    with running_service(tmp_path, fake.url, command, **empty) as service:
        assert "Booting worker" in service.log.read_text()


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
