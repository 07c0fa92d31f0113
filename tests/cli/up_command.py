"""`tensoria up` as a child of a test: in a folder and an environment of its own, and killable."""

import os
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.service import ROOT, clean_environment, free_port, wait_for

MARK = "TENSORIA_TEST_MARK"
# The gateway and the engine have 5 s each.
STOP_SECONDS = 15


@dataclass
class Up:
    """One run of the command in a folder of its own, with its output in files."""

    folder: Path
    environ: dict[str, str]
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environ['API_PORT']}"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def err(self) -> Path:
        return self.folder / "err"

    def wait_for_banner(self) -> str:
        """Return the banner once it is whole."""
        wait_for(lambda: "Ctrl-C" in self.out.read_text() or self._is_over(), "banner", self.err)
        assert "Ctrl-C" in self.out.read_text(), self.err.read_text()
        return self.out.read_text()

    def _is_over(self) -> bool:
        return self.process.poll() is not None

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def pids(self) -> list[int]:
        """Return every process that this run started, whoever is its parent by now."""
        mark = f"{MARK}={self.environ[MARK]}".encode()
        return [
            int(entry.parent.name)
            for entry in Path("/proc").glob("[0-9]*/environ")
            if mark in environment_of(entry)
        ]


def environment_of(entry: Path) -> bytes:
    try:
        return entry.read_bytes()
    except OSError:  # ended meanwhile, or not ours
        return b""


class Starter:
    """Starts the command, and kills what a failed test left of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: list[Up] = []

    def __call__(self, *arguments: str, cache: str = "", dotenv: str = "", **settings: str) -> Up:
        folder = self._folder / str(len(self._runs))
        folder.mkdir()
        (folder / ".env").write_text(dotenv)
        environ = {
            **clean_environment(folder),
            "PYTHONPATH": str(ROOT),
            "API_PORT": str(free_port()),
            MARK: uuid.uuid4().hex,
            **({"XDG_CACHE_HOME": cache} if cache else {}),
            **settings,
        }
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(
                (sys.executable, "-m", "tensoria", "up", *arguments),
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self._runs.append(Up(folder, environ, process))
        return self._runs[-1]

    def clean(self) -> None:
        for run in self._runs:
            for pid in run.pids():
                os.kill(pid, signal.SIGKILL)
            run.process.wait()


def pid_of(up: Up, word: str) -> int:
    (pid,) = [pid for pid in up.pids() if word.encode() in command_of(pid)]
    return pid


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
