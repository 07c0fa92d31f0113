"""Whether a process that is nobody's child of ours still runs."""

import time
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Tell whether it runs; a zombie that its new parent has not looked at yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(*pids: int, seconds: float = 10) -> float:
    """Return after how many seconds all were gone, or raise AssertionError."""
    started = time.monotonic()
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < started + seconds, [pid for pid in pids if is_alive(pid)]
        time.sleep(0.005)
    return time.monotonic() - started
