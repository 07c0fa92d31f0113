"""The doctor beside the running service, and behind a real nginx that holds chunks back."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.nginx import INSTALL
from tests.e2e.service import ROOT, Service, clean_environment, free_port, running, wait_for
from tests.fake_ollama import Exchange, FakeOllama, chat_line, done_line, stream
from tests.requirements import need_program

pytestmark = pytest.mark.e2e

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{gateway};
            proxy_http_version 1.1;
            {more}
        }}
    }}
}}
"""
# As of an nginx that compresses all it passes on; the service's own X-Accel-Buffering prevents it.
HOLDS_BACK = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types *;"


@pytest.fixture(autouse=True)
def _slow_engine(fake: FakeOllama) -> None:
    fake.context_length = 32768
    words = [step for _ in range(5) for step in (_a_moment, chat_line("two, "))]
    fake.script("/api/chat", stream([chat_line("one, "), *words, done_line()]))


def _a_moment(exchange: Exchange) -> None:
    time.sleep(0.1)


def doctor(
    fake: FakeOllama, service: Service, url: str, folder: Path
) -> tuple[int, dict[str, Any]]:
    environ = {
        **clean_environment(folder),
        "PYTHONPATH": str(ROOT),
        "API_KEY": service.key,
        "API_PORT": str(service.port),
        "OLLAMA_BASE_URL": fake.url,
        "DEFAULT_MODEL": "smollm2:135m",
        "MAX_CONCURRENCY": "128",
    }
    command = [sys.executable, "-m", "tensoria", "doctor", "--json", "--url", url]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert service.key not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def front(service: Service, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an nginx in front of the service, with the test's lines in its location."""
    program, port = need_program("nginx", INSTALL), free_port()
    text = NGINX.format(folder=tmp_path, port=port, gateway=service.port, more=request.param)
    # Not nginx.conf: the doctor would read that one, as the project's own.
    (tmp_path / "front.conf").write_text(text)
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    command = [program, "-p", str(tmp_path), "-c", str(tmp_path / "front.conf"), *user]
    with running(command, tmp_path, clean_environment(tmp_path)) as (_, log):
        probe = Service(port=port, key="", log=log)
        wait_for(lambda: answers(probe), "nginx", log)
        yield probe.url


def answers(service: Service) -> bool:
    try:
        with urllib.request.urlopen(f"{service.url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def test_a_service_that_is_well(fake: FakeOllama, service: Service, tmp_path: Path) -> None:
    code, told = doctor(fake, service, service.url, tmp_path)

    assert told["findings"] == []
    assert code == 0
    assert {"buffering", "clock", "key", "engine", "parallel"} <= set(told["well"])


@pytest.mark.parametrize(
    ("front", "checks"),
    [("proxy_buffering off;", []), (HOLDS_BACK, ["buffering"])],
    ids=["passes on", "holds back"],
    indirect=["front"],
)
def test_an_nginx_in_front(
    fake: FakeOllama, service: Service, front: str, checks: list[str], tmp_path: Path
) -> None:
    _, told = doctor(fake, service, front, tmp_path)

    assert [finding["check"] for finding in told["findings"]] == checks
