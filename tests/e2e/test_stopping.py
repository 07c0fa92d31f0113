"""Stops and reloads: what runs is finished, or told that its time is up; nobody is left waiting."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.service import (
    GUNICORN,
    Service,
    clean_environment,
    free_port,
    running,
    wait_for,
)
from tests.e2e.test_service import LAST_CHUNK, raw_chat, read_until
from tests.fake_ollama import FakeOllama, chat_line, done_line, hang, stream

pytestmark = pytest.mark.e2e


@pytest.fixture
def gunicorn(tmp_path: Path, fake: FakeOllama) -> Iterator[tuple[subprocess.Popen[bytes], Service]]:
    """gunicorn with its process at hand, and its settings in a .env that a test may change."""
    port = free_port()
    environ = {
        **clean_environment(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "OLLAMA_BASE_URL": fake.url,
        "API_PORT": str(port),
        "SHUTDOWN_GRACE_SECONDS": "2",
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


def test_a_term_while_the_worker_starts_is_not_lost(tmp_path: Path) -> None:
    """gunicorn waits for such a worker as long as for an answer: more than a minute by default."""
    environ = {
        **clean_environment(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "API_PORT": str(free_port()),
        "OLLAMA_BASE_URL": "http://127.0.0.1:9",
    }
    with running(GUNICORN, tmp_path, environ) as (process, log):
        wait_for(lambda: "Booting worker" in log.read_text(), "a worker to start", log)
        process.terminate()

        assert process.wait(8) == 0


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


def test_an_answer_that_outlasts_the_grace_ends_with_an_error_event(
    gunicorn: Running, fake: FakeOllama
) -> None:
    process, service = gunicorn
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    with raw_chat(service, stream=True) as answered:
        read_until(answered, b"Hel")
        process.terminate()
        last = read_until(answered, LAST_CHUNK)

    assert b'"code":"service_stopping"' in last
    assert b"[DONE]" not in last
    fake.wait_for_disconnect(timeout=2)
    assert process.wait(15) == 0


def test_a_whole_answer_that_outlasts_the_grace_is_503(gunicorn: Running, fake: FakeOllama) -> None:
    process, service = gunicorn
    fake.script("/api/chat", hang)
    with raw_chat(service) as answered:
        fake.wait_for_request()
        process.terminate()
        answer = read_until(answered, b"}}")

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in answer
    assert process.wait(15) == 0


def test_after_a_term_nobody_new_is_let_in(gunicorn: Running, fake: FakeOllama) -> None:
    process, service = gunicorn
    last = threading.Event()
    fake.script("/api/chat", stream([chat_line("Hel"), last, done_line()]))
    with raw_chat(service, stream=True) as answered:
        read_until(answered, b"Hel")
        process.terminate()
        wait_for(lambda: _status(service) is None, "the listener to close", service.log, 0.9)
        last.set()
        assert b"data: [DONE]" in read_until(answered, LAST_CHUNK)
    assert process.wait(15) == 0


def test_a_hup_cuts_no_answer_and_refuses_nobody(gunicorn: Running, fake: FakeOllama) -> None:
    process, service = gunicorn
    (old,) = _children(process.pid)
    last = threading.Event()
    fake.script("/api/chat", stream([chat_line("Hel"), last, done_line()]))
    with raw_chat(service, stream=True) as answered:
        read_until(answered, b"Hel")
        process.send_signal(signal.SIGHUP)
        seen = set()
        while len(_children(process.pid)) < 2:
            seen.add(_status(service))
        last.set()
        assert b"data: [DONE]" in read_until(answered, LAST_CHUNK)
    while _lives(old):
        seen.add(_status(service))

    assert seen == {200}


def test_a_killed_worker_is_replaced(gunicorn: Running) -> None:
    process, service = gunicorn
    (worker,) = _children(process.pid)
    os.kill(worker, signal.SIGKILL)
    wait_for(
        lambda: _children(process.pid) not in ([], [worker]) and _status(service) == 200,
        "a new worker",
        service.log,
    )


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
