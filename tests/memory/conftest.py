from collections.abc import Iterator
from pathlib import Path

import pytest

from tensoria.memory.store import Memory


class Clock:
    """Seconds since 1970, moved on by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> Iterator[Memory]:
    """A memory of 30 days and a megabyte, on a clock of the test's."""
    made = Memory(tmp_path, days=30, max_bytes=1024 * 1024, clock=clock)
    yield made
    made.close()
