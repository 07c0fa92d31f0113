"""An engine in a process of its own, to be killed: `python -m tests.faults.process ENGINE WHEN`.

WHEN is `before` or `amid` its answer. Its first line of output is its port; the second comes when
it has got there, and then it does nothing more.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fake_ollama import Exchange, FakeOllama, hang
from tests.faults.dialects import DIALECTS, ENDPOINTS
from tests.faults.models import offer_models


class EngineToKill:
    """The process, killed by SIGKILL in the moment when it says that it has got there."""

    def __init__(self, engine: str, when: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.process", engine, when],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        assert self._process.stdout is not None
        self._told = self._process.stdout
        self.port = int(self._told.readline())
        self._killer = threading.Thread(target=self._kill, name="fake-killer")
        self._killer.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._killer.join()
        self._told.close()

    def join(self) -> None:
        """Wait until it is dead; AssertionError when it was not killed."""
        assert self._process.wait(5) == -signal.SIGKILL

    def _kill(self) -> None:
        if self._told.readline():
            os.kill(self._process.pid, signal.SIGKILL)


def _tell_and_hang(exchange: Exchange) -> None:
    sys.stdout.write("here\n")
    sys.stdout.flush()
    hang(exchange)


def main() -> None:
    """Serve until killed."""
    engine, when = sys.argv[1:]
    with FakeOllama() as fake:
        offer_models(fake, engine)
        for endpoint in ENDPOINTS:
            d = DIALECTS[engine, endpoint]
            amid = d.answer(d.text("Hel"), _tell_and_hang)
            fake.script(d.path, amid if when == "amid" else _tell_and_hang)
        sys.stdout.write(f"{fake.port}\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
