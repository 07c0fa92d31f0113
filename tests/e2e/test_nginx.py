"""The project's nginx.conf in the real nginx, in front of the real service."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.service import (
    ROOT,
    Service,
    clean_environment,
    free_port,
    running,
    wait_for,
)
from tests.fake_ollama import FakeOllama, chat_line, done_line, stream
from tests.requirements import need_program

pytestmark = pytest.mark.e2e

CHAT = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def nginx(service: Service, tmp_path: Path) -> Iterator[str]:
    """The address of nginx in front of the service."""
    program = need_program("nginx", "apt-get install --no-install-recommends nginx-light")
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(_adapted(service.port, port, tmp_path))
    main = f"daemon off; pid {tmp_path}/nginx.pid;" + (" user root;" if os.geteuid() == 0 else "")
    command = [program, "-p", str(tmp_path), "-c", str(config), "-g", main]
    with running(command, tmp_path, clean_environment(tmp_path)) as (_, log):
        wait_for(lambda: _listens(port), "nginx to listen", log)
        yield f"http://127.0.0.1:{port}"


def _adapted(service_port: int, nginx_port: int, folder: Path) -> str:
    """Return nginx.conf with this test's ports and folder, and nothing else changed."""
    temporary = "".join(
        f" {kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (ROOT / "nginx.conf").read_text()
    for theirs, ours in (
        ("127.0.0.1:8002", f"127.0.0.1:{service_port}"),
        ("listen 80;", f"listen 127.0.0.1:{nginx_port};"),
        ("http {", "http {" + temporary),
    ):
        assert text.count(theirs) == 1, f"nginx.conf: {theirs!r} is not there once"
        text = text.replace(theirs, ours)
    return text.replace("/var/log/nginx", str(folder))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_an_answer_comes_through_with_the_key(
    nginx: str, service: Service, http: requests.Session
) -> None:
    answer = http.post(
        f"{nginx}/v1/chat/completions", json=CHAT, headers=service.headers, timeout=10
    )

    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"


def test_without_the_key_nginx_passes_on_the_401(nginx: str, http: requests.Session) -> None:
    answer = http.post(f"{nginx}/v1/chat/completions", json=CHAT, timeout=10)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_a_stream_arrives_unbuffered(
    nginx: str, service: Service, fake: FakeOllama, http: requests.Session
) -> None:
    """The engine holds its second word back until the client has read the first."""
    first_was_read = threading.Event()
    fake.script(
        "/api/chat", stream([chat_line("Hel"), first_was_read, chat_line("lo"), done_line()])
    )
    with http.post(
        f"{nginx}/v1/chat/completions",
        json=CHAT | {"stream": True},
        headers=service.headers,
        stream=True,
        timeout=10,
    ) as answer:
        lines = answer.iter_lines(chunk_size=1)
        assert any(b'"Hel"' in line for line in lines)
        first_was_read.set()
        rest = list(lines)

    assert any(b'"lo"' in line for line in rest)
    assert [line for line in rest if line][-1] == b"data: [DONE]"


def test_a_body_that_is_too_large_is_refused_by_the_gateway_and_not_in_html(
    nginx: str, service: Service, http: requests.Session
) -> None:
    body = b'{"model": "' + b"x" * (41 * 1024 * 1024) + b'"}'

    answer = http.post(
        f"{nginx}/v1/chat/completions",
        data=body,
        headers=service.headers | {"Content-Type": "application/json"},
        timeout=30,
    )

    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "invalid_request_error"
