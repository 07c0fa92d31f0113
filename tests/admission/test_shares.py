"""What a worker has of the whole."""

import pytest

from tensoria.admission.shares import Share, share_of
from tensoria.config import Settings


@pytest.mark.parametrize(
    ("workers", "concurrency", "queue", "share"),
    [
        (1, 1, 64, Share(1, 64, 120)),
        (1, 8, 0, Share(8, 0, 120)),
        (2, 8, 64, Share(4, 32, 120)),
        (3, 8, 64, Share(2, 22, 120)),
        (4, 4, 1, Share(1, 1, 120)),
    ],
)
def test_workers_divide_slots_and_places(
    workers: int, concurrency: int, queue: int, share: Share
) -> None:
    variables = {"WEB_CONCURRENCY": workers, "MAX_CONCURRENCY": concurrency, "MAX_QUEUE": queue}
    settings = Settings.from_env({name: str(value) for name, value in variables.items()})

    assert share_of(settings) == share
