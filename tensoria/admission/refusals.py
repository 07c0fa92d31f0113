"""What is told to those who cannot be queued, or whose turn does not come."""

import math

from tensoria.admission.queue import Full
from tensoria.errors import Overloaded, RateLimited, TensoriaError

# SDKs ignore more, or give up on it (openai-python's `_base_client.py`).
MOST_RETRY_SECONDS = 60


def no_place(full: Full, seconds: float) -> TensoriaError:
    """Return the error for a queue without a place, in which the wait would be so long."""
    if full == "caller":
        return _told(
            RateLimited(
                "Too many of your requests wait for this model already: one caller has at most "
                f"half of its queue (MAX_QUEUE). {_outlook(seconds)}"
            ),
            seconds,
        )
    return _told(
        Overloaded(f"The queue of this model is full (MAX_QUEUE). {_outlook(seconds)}"), seconds
    )


def no_turn(timeout_seconds: float, seconds: float) -> TensoriaError:
    """Return the error for one that has waited long enough, and would wait so long again."""
    return _told(
        Overloaded(
            f"This request's turn did not come within {timeout_seconds:g} seconds "
            f"(QUEUE_TIMEOUT). {_outlook(seconds)}"
        ),
        seconds,
    )


def _outlook(seconds: float) -> str:
    return f"As things go, it would run in about {max(1, math.ceil(seconds))} s."


def _told(error: TensoriaError, seconds: float) -> TensoriaError:
    error.headers = {"Retry-After": str(min(MOST_RETRY_SECONDS, max(1, math.ceil(seconds))))}
    return error
