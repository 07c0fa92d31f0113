"""The processes of the soak, and what the kernel says of them. Linux only: it reads /proc."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LISTENING = "0A"


class SoakError(Exception):
    """The soak cannot go on: a process ended by itself, or did not come up."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a worker. `descriptors` are those that no pooled engine connection uses."""

    pid: int
    rss_kb: int
    descriptors: int
    clients: int
    engine_connections: int


class Child:
    """A process that is started again and again under the same name, its output in one log."""

    def __init__(
        self, command: list[str], folder: Path, log: Path, environ: dict[str, str]
    ) -> None:
        self._command, self._folder, self._log, self._environ = command, folder, log, environ
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's id; SoakError when it has ended by itself."""
        if self._process is None or self._process.poll() is not None:
            raise SoakError(f"{self._command[0]} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it; what was started before has ended."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def signal(self, number: int) -> None:
        """Send a signal, by the id."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without a word, and wait until it has."""
        self.signal(signal.SIGKILL)
        self._reap()

    def end(self) -> None:
        """Ask it to end, and make it when it does not; its children end with it."""
        if self._process is None or self._process.poll() is not None:
            return
        children = children_of(self._process.pid)
        # A frozen process takes no other signal.
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            for pid in [*children, self._process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()


def engine(port: int, models: list[str], folder: Path) -> Child:
    """Compile the mock of Ollama and return it, not started."""
    program = folder / "mock_ollama"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(HERE / "mock_ollama.c")], check=True)
    return Child([str(program), str(port), *models], folder, folder / "engine.log", {})


def gateway(
    port: int,
    engine_port: int,
    key: str,
    model: str,
    slots: int,
    folder: Path,
    *,
    app: str = "wsgi:app",
) -> Child:
    """Return gunicorn with this checkout, not started; its queue takes whoever finds no slot."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
        "API_KEY": key,
        "OLLAMA_BASE_URL": f"http://127.0.0.1:{engine_port}",
        "OLLAMA_NUM_PARALLEL": str(slots),
        "MAX_CONCURRENCY": str(slots),
        "MAX_QUEUE": "16384",
        "STREAM_IDLE_TIMEOUT": "2",
        "SHUTDOWN_GRACE_SECONDS": "15",
        "DEFAULT_MODEL": model,
    }
    command = ["-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), app]
    return Child([sys.executable, *command], folder, folder / "gateway.log", environ)


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def conclude(prefix: str, run: Callable[[Path], tuple[str, list[str]]]) -> int:
    """Run something in a folder of its own, print its table and what is not well.

    `run` returns both. Returns the exit status; the folder is kept where there is something to see.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        table, complaints = run(folder)
    except SoakError as error:
        print(f"{error}; logs in {folder}", file=sys.stderr)
        return 2
    print(table)
    for each in complaints:
        print(f"NOT WELL: {each}")
    if complaints:
        print(f"logs in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if complaints else 0


def wait_for_usage(folder: Path) -> None:
    """Wait until a worker has opened what it writes the usage into: once, with its first answer."""
    usage = folder / "data" / "usage"
    wait_for(lambda: any(usage.glob("*-wal")), "the usage to be written")


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Look until a condition holds; SoakError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SoakError(f"waited {seconds} s for {what}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Tell whether somebody accepts on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def active_at_engine(port: int) -> int:
    """Return how many answers the mock believes that it is still giving."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/__stats", timeout=10) as answer:
        stats: dict[str, Any] = json.load(answer)
    return int(stats["active"])


def children_of(pid: int) -> list[int]:
    """Return the children of a process, oldest first; none when it has ended."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return sorted((int(word) for word in text.split()), key=_started)


def sample(pid: int, port: int, engine_port: int) -> Sample | None:
    """Look at a worker; None when it has ended meanwhile."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        files = _files(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    rss = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    if not rss:
        return None
    sockets = _sockets()
    ends = [sockets.get(each, ("", 0, 0)) for each in files]
    to_engine = sum(remote == engine_port for _, _, remote in ends)
    clients = sum(local == port and state != LISTENING for state, local, _ in ends)
    return Sample(pid, int(rss[0]), len(files) - to_engine, clients, to_engine)


def _files(pid: int) -> list[str]:
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        # Under load some are closed while we look.
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(each))
    return found


def _started(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except FileNotFoundError:
        return 0


def _sockets() -> dict[str, tuple[str, int, int]]:
    """Return (state, local port, remote port) of every TCP socket, by its name in /proc/…/fd."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *rest = line.split()
        ports = int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)
        found[f"socket:[{rest[5]}]"] = (state, *ports)
    return found
