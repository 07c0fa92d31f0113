import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import free_port


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no `.env` of the developer's enters a test."""
    kept = ("PATH", "HOME", "LANG", "COVERAGE_", "PYTEST_", "CI", "XDG_", "TMPDIR")
    for name in list(os.environ):
        if not name.startswith(kept):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A command handles signals; the next test gets back what pytest had.

    pytest itself may have been started by nohup, and a command respects that.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.getsignal(number)) for number in numbers]
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.fixture
def port() -> int:
    return free_port()
