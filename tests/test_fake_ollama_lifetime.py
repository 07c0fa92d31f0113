"""The fake's connections, its end without leftovers, and the program."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    hang,
    stream,
)
from tests.fake_ollama.by_hand import CHAT, ask, read_all, read_until
from tests.fake_ollama.connection import JOIN_SECONDS


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    with FakeOllama() as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as client:
        client.trust_env = False
        yield client


def test_connection_is_kept_alive_and_counted(fake: FakeOllama, session: requests.Session) -> None:
    for _ in range(3):
        session.post(f"{fake.url}/api/chat", json=CHAT)
        session.get(f"{fake.url}/api/tags")
    assert fake.connections_opened == 1
    assert {request.connection for request in fake.requests} == {1}


def test_idle_connections_can_be_closed(fake: FakeOllama, session: requests.Session) -> None:
    session.get(f"{fake.url}/api/version")
    assert fake.close_idle_connections() == 1
    assert session.get(f"{fake.url}/api/version").status_code == 200
    assert fake.connections_opened == 2


def test_busy_connection_is_not_closed_as_idle(fake: FakeOllama) -> None:
    fake.script("/api/chat", hang)
    with ask(fake.port):
        fake.wait_for_request()
        assert fake.close_idle_connections() == 0


def test_connection_ends_when_the_client_asks_for_that(fake: FakeOllama) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", fake.port), timeout=5)) as sock:
        sock.sendall(b"GET /api/version HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert read_all(sock).endswith(b'{"version":"0.32.15"}')


def test_stop_ends_hanging_handlers_and_leaves_no_thread_and_no_socket() -> None:
    threads, sockets = set(threading.enumerate()), open_sockets()
    fake = FakeOllama()
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    socks = [ask(fake.port) for _ in range(3)]
    idle = ask(fake.port, "/api/tags", "GET")
    fake.wait_for_request(count=3)
    started = time.monotonic()
    fake.stop()
    fake.stop()
    assert time.monotonic() - started < JOIN_SECONDS
    for sock in [*socks, idle]:
        sock.close()
    assert set(threading.enumerate()) <= threads
    assert open_sockets() <= sockets


def open_sockets() -> set[str]:
    """Return the names of this process's sockets; each has a number of its own."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        # The listing holds its own descriptor, which is closed by now.
        with contextlib.suppress(FileNotFoundError):
            found.add(str(descriptor.readlink()))
    return {name for name in found if name.startswith("socket:")}


def test_stop_frees_the_port_for_a_new_engine() -> None:
    with FakeOllama() as first, ask(first.port) as sock:
        read_until(sock, b"\r\n0\r\n\r\n")
    with FakeOllama(port=first.port) as second, ask(second.port) as sock:
        read_until(sock, b"\r\n0\r\n\r\n")


def test_stop_names_a_handler_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fake_ollama.connection.JOIN_SECONDS", 0.1)
    gate = threading.Event()
    fake = FakeOllama()
    fake.script("/api/chat", lambda exchange: answer_json(gate.wait())(exchange))
    with ask(fake.port):
        fake.wait_for_request()
        with pytest.raises(AssertionError, match="connections 1"):
            fake.stop()
    gate.set()
    assert fake.requests[0].over.wait(5)


def test_wait_for_request_says_what_it_waited_for(fake: FakeOllama) -> None:
    with pytest.raises(TimeoutError, match="request 1 for /api/chat"):
        fake.wait_for_request(timeout=0.01)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recordings", "0.24.0"], b" capital"),
        (["--fault", "error line first"], b"unexpectedly stopped"),
        ([], b"lo"),
    ],
)
def test_program_prints_its_url_and_ends_at_a_signal(arguments: list[str], said: bytes) -> None:
    command = [sys.executable, "-m", "tests.fake_ollama", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent
    ) as program:
        try:
            assert program.stdout
            url = program.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
            assert said in requests.post(f"{url}/api/chat", json=CHAT, timeout=10).content
        finally:
            program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0
