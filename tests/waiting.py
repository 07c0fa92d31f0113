"""A wait for what another thread is about to do."""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds, or fail after five seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)
