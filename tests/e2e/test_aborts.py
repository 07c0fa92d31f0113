"""A few hundred requests that are left in every state, and nothing of them left over."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.service import ROOT, clean_environment
from tests.requirements import need_program

pytestmark = pytest.mark.e2e


def test_aborts_leave_no_greenlet_no_descriptor_and_a_free_engine(tmp_path: Path) -> None:
    """Thirty-six kinds: six moments, streamed or not, in three ways."""
    need_program("gcc", "apt-get install --no-install-recommends gcc libc6-dev")
    result = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "aborts.py"), "--aborts=360", "--clients=10"],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    rows = dict(re.findall(r"^\| (.+?) +\| (.*) \|$", result.stdout, flags=re.MULTILINE))

    assert result.returncode == 0, result.stdout + result.stderr
    assert rows["aborts"].startswith("360 in ")
    assert rows["by state"].count("60 ") == 6
    assert rows["tracebacks"] == "0"
    for row in ("greenlets, first, last", "descriptors, first, last"):
        first, last = rows[row].split(", ")
        assert int(last) <= int(first)
