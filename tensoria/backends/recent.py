"""A value that may be a few seconds old, fetched by one caller for all who ask meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from tensoria.errors import TensoriaError

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """What `fetch` returned at most `max_age_seconds` ago; an error is not kept.

    The lock is the single flight: who comes while one fetches waits for that fetch and takes its
    value, or its error: behind an engine that hangs, they must not hang one after the other.
    """

    def __init__(self, fetch: Callable[[], Value], *, max_age_seconds: float) -> None:
        self._fetch = fetch
        self._max_age = max_age_seconds
        self._lock = threading.Lock()
        self._value: Value | None = None
        self._fetched_at = float("-inf")
        self._error: TensoriaError | None = None
        self._failed_at = float("-inf")

    def get(self) -> Value:
        """Return the value, fetched anew if it is too old."""
        value = self._value
        if value is not None and time.monotonic() - self._fetched_at < self._max_age:
            return value
        return self.newer_than(time.monotonic() - self._max_age)

    def newer_than(self, moment: float) -> Value:
        """Return a value fetched after `moment` (of time.monotonic)."""
        asked = time.monotonic()
        with self._lock:
            if self._error is not None and self._failed_at >= asked:
                raise self._error
            if self._value is None or self._fetched_at <= moment:
                started = time.monotonic()
                self._value = self._fetched()
                self._fetched_at = started
            return self._value

    def _fetched(self) -> Value:
        self._error = None
        try:
            return self._fetch()
        except TensoriaError as error:
            self._error, self._failed_at = error, time.monotonic()
            raise
