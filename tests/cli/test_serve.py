import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tensoria.cli import main, serve
from tensoria.cli.failures import CommandError
from tensoria.config import Settings
from tensoria.server import application
from tests.engine.living import wait_until_gone

# A parent that starts a process which is to end with it, prints that one's id, and waits.
PARENT = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]],
    env={**os.environ, "TENSORIA_PARENT_PID": str(os.getpid())},
    stdout=subprocess.PIPE,
)
print(child.stdout.readline().decode(), end="", flush=True)
sys.stdin.read()
"""
CHILD = """
import os, time
from tensoria.cli.serve import end_with_parent
end_with_parent(os.environ)
print(os.getpid(), flush=True)
time.sleep(600)
"""


def environment() -> dict[str, str]:
    """Return what a child needs to import what this process can, coverage's variables included."""
    return {**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))}


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")


def test_gunicorn_gets_the_settings_and_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn never returns, so its place is taken here; tests/e2e runs the real one."""
    got: list[Any] = []

    def run(load_settings: Callable[[], Settings], load_app: Callable[[Settings], Any]) -> None:
        settings = load_settings()
        got.extend((settings, load_app(settings)))

    monkeypatch.setattr(application, "run", run)
    monkeypatch.setenv("API_PORT", "8123")
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:1")
    assert main(["serve"]) == 0
    for thread in threading.enumerate():
        if thread.name == "first-look":
            thread.join()
    settings, app = got
    assert settings.api_port == 8123
    assert callable(app)


def test_without_a_parent_nothing_is_watched() -> None:
    serve.end_with_parent({})


@linux_only
def test_parent_that_is_gone_already_ends_the_gateway() -> None:
    environ = {serve.PARENT_PID: "1" if os.getppid() != 1 else "2"}
    source = "import os; from tensoria.cli.serve import end_with_parent as f; f(os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environment() | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert CommandError.__name__ in done.stderr
    assert done.returncode == 1


def test_parent_is_forgotten_once_it_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child of the gateway has another parent."""
    monkeypatch.setattr(sys, "platform", "other")
    environ = {serve.PARENT_PID: "1"}
    serve.end_with_parent(environ)
    assert environ == {}


@linux_only
def test_parent_killed_ends_the_gateway() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    wait_until_gone(child)
