"""gunicorn.conf.py with the real gunicorn, and an application that shows what it is run in."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import ROOT, clean_environment, free_port, running, wait_for

pytestmark = pytest.mark.e2e

PROBE = """
import gc, json, os, socket, sys

LOADED_IN = os.getpid()
PATCHED_BEFORE = socket.socket.__module__.startswith("gevent")

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    seen = {
        "loaded_in": LOADED_IN,
        "worker": os.getpid(),
        "arbiter": os.getppid(),
        "patched_before": PATCHED_BEFORE,
        "frozen": gc.get_freeze_count(),
    }
    return [json.dumps(seen).encode()]
"""


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[tuple[dict[str, Any], int, Path]]:
    """What the application saw, the id of the process that was started, and its log."""
    (tmp_path / "probe.py").write_text(PROBE)
    port = free_port()
    environ = {
        **clean_environment(tmp_path),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "API_PORT": str(port),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "probe:app"]
    answers: list[dict[str, Any]] = []

    def answered() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/?secret", timeout=5) as answer:
                answers.append(json.load(answer))
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    with running(command, tmp_path, environ) as (process, log):
        wait_for(answered, "an answer", log)
        yield answers[0], process.pid, log


Seen = tuple[dict[str, Any], int, Path]


def test_the_application_is_loaded_in_the_worker_and_patched_before(seen: Seen) -> None:
    found, started, _ = seen

    assert found["loaded_in"] == found["worker"] != started
    assert found["arbiter"] == started
    assert found["patched_before"]


def test_what_the_start_made_is_out_of_the_collectors_way(seen: Seen) -> None:
    found, _, _ = seen

    assert found["frozen"] > 1000


def test_gunicorn_writes_through_our_logger_and_has_no_access_log(seen: Seen) -> None:
    _, _, log = seen
    lines = log.read_text().splitlines()

    assert any("INFO gunicorn.error: Listening at" in line for line in lines)
    assert all(" INFO gunicorn.error: " in line for line in lines)
    assert "secret" not in log.read_text()
