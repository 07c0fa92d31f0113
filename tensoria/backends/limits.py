"""How long one answer of an engine may take, and what is said when it took longer."""

import time
from dataclasses import dataclass
from math import inf
from typing import Protocol

from tensoria.config import Settings
from tensoria.errors import BackendError, BackendTimeout


class Watch(Protocol):
    """Who wants to know whether a model begins to answer; neither call may wait."""

    def answered(self) -> None:
        """Called once an answer, with its first token."""
        ...

    def late(self) -> None:
        """Called when OLLAMA_TIMEOUT passed before the first token."""
        ...


class _Unwatched:
    def answered(self) -> None:
        """See `Watch.answered`."""

    def late(self) -> None:
        """See `Watch.late`."""


UNWATCHED = _Unwatched()


@dataclass(frozen=True, slots=True)
class Total:
    """The limit of one whole answer, all its runs together; `ends_at` is of time.monotonic."""

    seconds: float
    ends_at: float

    @classmethod
    def of(cls, seconds: float) -> "Total":
        """Return a limit that runs from now on."""
        return cls(seconds, time.monotonic() + seconds)

    def error(self) -> BackendTimeout:
        """Return what is said when it passed."""
        return BackendTimeout(
            f"The answer was not complete after {self.seconds:g} seconds (TOTAL_TIMEOUT)."
        )


ENDLESS = Total(inf, inf)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one request to an engine, before it is sent."""

    first_seconds: float
    idle_seconds: float
    total: Total = ENDLESS
    watch: Watch = UNWATCHED


def limits_of(settings: Settings, total: Total, watch: Watch = UNWATCHED) -> Limits:
    """Return the limits that the settings give to a request whose model is there."""
    return Limits(settings.timeout_seconds, settings.stream_idle_timeout_seconds, total, watch)


class Clock:
    """The limits of one answer, running.

    | state   | entered                   | `due`, never after the total's end    |
    | ------- | ------------------------- | ------------------------------------- |
    | waiting | the request is to be sent | that moment and `first_seconds`       |
    | flowing | the first token came      | the last `until` and `idle_seconds`   |

    `due` (of time.monotonic) is when the sweeper ends the wait, with `error`.
    """

    __slots__ = ("_flows", "_limits", "due")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._flows = False
        self.due = min(time.monotonic() + limits.first_seconds, limits.total.ends_at)

    def flowing(self) -> None:
        """Go from the limit for the first token to the limit between receives."""
        if not self._flows:
            self._flows = True
            self._limits.watch.answered()

    def until(self) -> float:
        """Return by when the next receive has to come; raises BackendTimeout if it is too late."""
        now = time.monotonic()
        if now >= self._due_from(now):
            raise self.error()
        return self.due

    def expected(self) -> float:
        """Return by when the next receive has to come, be it too late already."""
        return self._due_from(time.monotonic())

    def _due_from(self, now: float) -> float:
        limits = self._limits
        if self._flows:
            self.due = min(now + limits.idle_seconds, limits.total.ends_at)
        return self.due

    def error(self) -> BackendTimeout:
        """Return what is said of the limit that passed, and tell the watch of a late token."""
        limits = self._limits
        if self.due >= limits.total.ends_at:
            return limits.total.error()
        if self._flows:
            return BackendTimeout(
                "The engine stopped in the middle of its answer: nothing came for "
                f"{limits.idle_seconds:g} seconds (STREAM_IDLE_TIMEOUT)."
            )
        limits.watch.late()
        return BackendTimeout(
            "The engine did not begin to answer within "
            f"{limits.first_seconds:g} seconds (OLLAMA_TIMEOUT)."
        )

    def named(self, error: BackendError) -> BackendError:
        """Return an error, or in place of a timeout the one that names the limit."""
        return self.error() if isinstance(error, BackendTimeout) else error
