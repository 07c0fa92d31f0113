"""What one worker may run and hold: its share of the whole service's."""

from dataclasses import dataclass

from tensoria.config import Settings


@dataclass(frozen=True, slots=True)
class Share:
    """The limits of each lane of one worker."""

    slots: int
    most_waiting: int
    timeout_seconds: float


def share_of(settings: Settings) -> Share:
    """Divide among the workers, which know nothing of each other.

    What is left over is left unused: more than MAX_CONCURRENCY never run. MAX_QUEUE=0 is no queue,
    but no worker is left without one by dividing.
    """
    workers = settings.workers
    return Share(
        slots=settings.max_concurrency // workers,
        most_waiting=-(-settings.max_queue // workers),
        timeout_seconds=settings.queue_timeout_seconds,
    )
