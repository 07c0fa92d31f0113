"""One life of the engine's process, from its parameters on stdin to its last words on stderr."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from tensoria.engine.child import Told

# By path, not with -m: it imports nothing of ours, and -P keeps the current folder's files from
# standing in for modules.
COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("child.py")))
_STDERR_LINES = 20
_DRAIN_SECONDS = 1


class EngineProcess:
    """A started child, in a session of its own, so that a Ctrl-C reaches the parent alone.

    The parent holds the only other end of the child's stdin: when the parent ends, however it
    ends, the child reads end-of-file and leaves.
    """

    def __init__(self, command: Sequence[str], told: Told, environ: Mapping[str, str]) -> None:
        """Start it. Raise OSError where the system refuses."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            start_new_session=True,
        )
        # Popen's own attributes are optional; these are not, as all three are pipes.
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._stderr = cast("IO[bytes]", self._process.stderr)
        self._ports: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._lines: deque[str] = deque(maxlen=_STDERR_LINES)
        self._readers = [
            threading.Thread(target=read, name="engine-output", daemon=True)
            for read in (self._read_stdout, self._read_stderr)
        ]
        for reader in self._readers:
            reader.start()
        self._tell(told)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def wait_ready(self, timeout_seconds: float) -> int | None:
        """Return the port on which it serves; None when it ended first. Raise TimeoutError."""
        try:
            return self._ports.get(timeout=timeout_seconds)
        except queue.Empty:
            raise TimeoutError from None

    def stop(self, grace_seconds: float) -> None:
        """End it: SIGTERM, then SIGKILL when it is still there after the grace."""
        self._process.terminate()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdin.close()

    def last_words(self) -> str:
        """Wait for its end, and say how it came, with the last lines of its stderr."""
        code = self._process.wait()
        self._stdin.close()
        for reader in self._readers:
            reader.join(_DRAIN_SECONDS)
        how = f"ended with code {code}"
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            how += " (is there enough memory?)"
        return "\n    ".join((how, *self._lines))

    def _tell(self, told: Told) -> None:
        """Write the parameters and keep the pipe open; a child already dead is seen elsewhere."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._stdin.fileno(), json.dumps(told).encode() + b"\n")

    def _read_stdout(self) -> None:
        """Hand over the port of the ready line, then read on: a full pipe would stop the child."""
        with self._stdout as stdout:
            for line in stdout:
                if port := _port(line):
                    self._ports.put(port)
        self._ports.put(None)

    def _read_stderr(self) -> None:
        with self._stderr as stderr:
            for line in stderr:
                self._lines.append(line.decode(errors="replace").rstrip())


def _port(line: bytes) -> int | None:
    """Read `{"port": 43111}`; anything else is not a ready line."""
    try:
        port = json.loads(line)["port"]
    except (ValueError, KeyError, TypeError):
        return None
    return port if isinstance(port, int) else None
