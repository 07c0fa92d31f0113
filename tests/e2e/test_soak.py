"""A soak of a few seconds: faults, aborts, a dead engine and a reload, and nothing left over."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.service import ROOT, clean_environment
from tests.requirements import need_program

pytestmark = pytest.mark.e2e

TINY = ["--minutes", "0.1", "--streams", "20", "--tokens", "20", "--ms", "50", "--sample", "0.3"]


def test_a_short_soak_finds_no_lie_and_nothing_left_over(tmp_path: Path) -> None:
    need_program("gcc", "apt-get install --no-install-recommends gcc libc6-dev")
    result = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "soak.py"), *TINY],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    rows = dict(re.findall(r"^\| (.+?) +\| (.*) \|$", result.stdout, flags=re.MULTILINE))

    assert result.returncode == 0, result.stdout + result.stderr
    assert rows["lies"] == "0"
    assert rows["left over at the engine"].startswith("0 active")
    first, last = rows["descriptors, first, last"].split(", ")
    assert int(last) <= int(first)
    assert "1 engine killed" in rows["faults"]
    assert rows["reloads"] == "1, 2 workers seen"
    assert int(rows["aborts"].split()[0]) > 0
