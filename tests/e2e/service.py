"""The real service as a child process, in an environment that nothing of the developer's enters."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEY = "e2e-key-0123456789"
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "wsgi:app")


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: where it listens, the key it asks for, and where its log goes."""

    port: int
    key: str
    log: Path

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What a request needs to be let in."""
        return {"Authorization": f"Bearer {self.key}"}


@contextlib.contextmanager
def running_service(
    folder: Path, engine_url: str, command: Sequence[str] = GUNICORN, **settings: str
) -> Iterator[Service]:
    """Run the service in an empty folder until the block ends; then by its id: TERM, at last KILL.

    `settings` are environment variables. AssertionError, with the log, when it does not come up.
    """
    port = free_port()
    environ = {
        **clean_environment(folder),
        "PYTHONPATH": str(ROOT),
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
        "API_KEY": KEY,
        "OLLAMA_BASE_URL": engine_url,
        # Installed at the fake, so that the start has nothing to warn of.
        "DEFAULT_MODEL": "smollm2:135m",
        **settings,
    }
    with running(command, folder, environ) as (process, log):
        wait_for(lambda: _is_healthy(process, port), "the service to answer /health", log)
        yield Service(port=port, key=environ["API_KEY"], log=log)


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, environ: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run any program in a folder until the block ends, its output in a log beside it.

    The log is printed at the end: pytest shows that for a test that failed.
    """
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process, log
    finally:
        end(process)
        sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it when it does not within 10 seconds."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def clean_environment(folder: Path) -> dict[str, str]:
    """Return what a program needs to run at all; coverage measures children by its variables."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {**kept, "PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}


def free_port() -> int:
    """Return a port of loopback that is free now, and stays so until somebody names it.

    Those that the system hands out by itself, to connections and to `bind` with 0, begin at 32768.
    """
    while True:
        # Not by `random`, which begins alike in each test.
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_for(condition: Callable[[], bool], what: str, log: Path, seconds: float = 20) -> None:
    """Poll a condition, or raise AssertionError with the log when its time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}\n{log.read_text()}")
        time.sleep(0.05)


def _is_healthy(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"the service ended by itself with status {process.returncode}")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
