"""The matrix once more in the worker's world: gevent's sockets, threads that are greenlets, and
streams that are written from the hub."""

import subprocess
import sys
from pathlib import Path

import pytest

_RUN = """
from gevent import monkey
monkey.patch_all()
import sys
import pytest
failed = pytest.main(["-q", "--no-cov", "tests/faults/test_matrix.py", "-k", {cells!r}])
assert sys.modules["tests.faults.pumping"].PumpingClient.pumps
raise SystemExit(failed)
"""
# Streams of chats are what differs; an engine that is killed needs threads of the real kind.
_CELLS = "chat-sse and not killed"


@pytest.mark.e2e
def test_the_matrix_holds_under_gevent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUN.format(cells=_CELLS)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:]
