"""Metrics of the real service: several workers, reloads, clients that leave, and Prometheus."""

import json
import os
import signal
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.service import (
    GUNICORN,
    KEY,
    ROOT,
    Service,
    clean_environment,
    free_port,
    running,
    running_service,
    wait_for,
)
from tests.fake_ollama import FakeOllama, chat_line, done_line, hang, stream
from tests.requirements import need_program

pytestmark = pytest.mark.e2e

CHAT = "/v1/chat/completions"
HELLO = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
METRICS_KEY = "e2e-metrics-key-0123456789"
HEALTH = 'tensoria_requests_total{endpoint="/health",key="",model="",status="200"}'


@pytest.fixture
def two_workers(tmp_path: Path, fake: FakeOllama) -> Iterator[tuple[int, Service, Path]]:
    """The arbiter's id, the service, and the folder around that of its metrics."""
    port, folder = free_port(), tmp_path / "shared"
    environ = {
        **clean_environment(tmp_path),
        "PYTHONPATH": str(ROOT),
        "API_PORT": str(port),
        "API_KEY": KEY,
        "METRICS_KEY": METRICS_KEY,
        "OLLAMA_BASE_URL": fake.url,
        "DEFAULT_MODEL": "smollm2:135m",
        "WEB_CONCURRENCY": "2",
        "MAX_CONCURRENCY": "2",
        "SHUTDOWN_GRACE_SECONDS": "1",
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
    }
    with running(GUNICORN, tmp_path, environ) as (process, log):
        service = Service(port=port, key=KEY, log=log)
        wait_for(lambda: len(workers(process.pid)) == 2, "two workers", log)
        wait_for(lambda: len(list(folder.glob("*/worker-*.lock"))) == 2, "both to be up", log)
        wait_for(lambda: answers(service), "an answer", log)
        yield process.pid, service, folder
        process.terminate()
        assert process.wait(15) == 0
    assert list(folder.iterdir()) == []


def workers(arbiter: int) -> list[int]:
    listed = subprocess.run(["ps", "--ppid", str(arbiter), "-o", "pid="], capture_output=True)
    return [int(pid) for pid in listed.stdout.split()]


def answers(service: Service) -> bool:
    try:
        return bool(ask(service, "/v1/models").status_code == 200)
    except requests.ConnectionError:
        return False


def ask(service: Service, path: str, **options: object) -> requests.Response:
    """Ask on a connection of its own, which either worker may accept."""
    with requests.Session() as session:
        session.trust_env = False
        method = "POST" if options else "GET"
        headers = {**service.headers, "Connection": "close"}
        return session.request(
            method,
            f"{service.url}{path}",
            headers=headers,
            timeout=10,
            **options,  # type: ignore[arg-type]
        )


def told(service: Service) -> dict[str, float]:
    text = ask(service, "/metrics").text
    samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def test_workers_add_up_through_a_hup_and_a_crash(
    two_workers: tuple[int, Service, Path],
) -> None:
    arbiter, service, folder = two_workers
    before = workers(arbiter)
    for _ in range(20):
        ask(service, "/health")
    assert told(service)[HEALTH] == 20
    assert len(list(folder.glob("*/counter_*.db"))) == 2

    os.kill(before[0], signal.SIGKILL)
    wait_for(lambda: len(set(workers(arbiter)) - {before[0]}) == 2, "another worker", service.log)
    wait_for(lambda: answers(service), "an answer", service.log)
    os.kill(arbiter, signal.SIGHUP)
    wait_for(lambda: not set(workers(arbiter)) & set(before), "the old ones to end", service.log)
    wait_for(lambda: len(workers(arbiter)) == 2, "two new workers", service.log)
    for _ in range(20):
        ask(service, "/health")

    assert told(service)[HEALTH] == 40
    assert len(list(folder.glob("*/counter_*.db"))) <= 4


def test_clients_that_leave_are_counted_by_how_far_they_were(
    tmp_path: Path, fake: FakeOllama
) -> None:
    fake.script("/api/chat", hang, stream([chat_line("Hel"), threading.Event(), done_line()]))
    with running_service(tmp_path, fake.url) as service:
        for number, (state, streams) in enumerate(
            (("prefill", False), ("streaming", True)), start=1
        ):
            with leaving(service, streams=streams) as client:
                fake.wait_for_request("/api/chat", count=number)
                if streams:
                    client.recv(100)
            wait_for(lambda s=state: aborted(service, s), state, service.log)  # type: ignore[misc]


def test_one_that_leaves_the_queue_is_counted_as_queued(tmp_path: Path, fake: FakeOllama) -> None:
    fake.script("/api/chat", hang)
    with running_service(tmp_path, fake.url) as service, leaving(service):
        fake.wait_for_request("/api/chat")
        with leaving(service):
            wait_for(
                lambda: told(service).get("tensoria_queue_waiting") == 1, "the queue", service.log
            )
        wait_for(lambda: aborted(service, "queued"), "the abort", service.log)
        assert told(service)["tensoria_queue_waiting"] == 0


def aborted(service: Service, state: str) -> bool:
    return told(service).get(f'tensoria_aborts_total{{state="{state}"}}') == 1


def leaving(service: Service, *, streams: bool = False) -> socket.socket:
    """Ask, and return the connection: who closes it has left."""
    body = json.dumps({**HELLO, "stream": streams}).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {service.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    client = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    client.sendall(head.encode() + body)
    return client


def test_prometheus_gets_the_sums_of_two_workers_with_the_key_of_the_metrics(
    two_workers: tuple[int, Service, Path], tmp_path: Path
) -> None:
    program = need_program("prometheus", "apt-get install --no-install-recommends prometheus")
    _, service, _ = two_workers
    for _ in range(20):
        ask(service, "/health")
    ask(service, CHAT, json=HELLO)
    (tmp_path / "key").write_text(METRICS_KEY)
    (tmp_path / "prometheus.yml").write_text(
        json.dumps(  # which is YAML too
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [
                    {
                        "job_name": "tensoria",
                        "authorization": {"credentials_file": str(tmp_path / "key")},
                        "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}],
                    }
                ],
            }
        )
    )
    port = free_port()
    command = [
        program,
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, tmp_path, clean_environment(tmp_path)) as (_, log):
        wait_for(
            lambda: query(port, 'tensoria_requests_total{endpoint="/health"}') == 20, "20", log
        )

        assert query(port, "tensoria_tokens_out_total") == 8
        assert query(port, "tensoria_engine_up") == 1
        assert query(port, 'up{job="tensoria"}') == 1


def query(port: int, expression: str) -> float | None:
    """Return the one value of an expression, if there is one yet."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            result = json.load(answer)["data"]["result"]
    except OSError:
        return None
    return float(result[0]["value"][1]) if result else None
