"""What the tests of tickets share."""

from collections.abc import Callable

import pytest

from tensoria.admission.shares import Share
from tensoria.admission.tickets import Admission


@pytest.fixture
def make_admission() -> Callable[..., Admission]:
    """Build the lanes of one worker."""

    def make(slots: int = 1, most_waiting: int = 64, timeout_seconds: float = 60) -> Admission:
        return Admission(Share(slots, most_waiting, timeout_seconds))

    return make
