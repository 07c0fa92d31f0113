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
    | flowing | the first token came      | the last `left` and `idle_seconds`    |

    `due` (of time.monotonic) is when somebody has to end the answer, with `error`. That is the
    socket's own timeout, which is set to what `left` returns; a sweeper could as well.
    """

    __slots__ = ("_cut_from", "_flows", "_idle_seconds", "_limits", "due")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._flows = False
        self._idle_seconds = limits.idle_seconds
        self._cut_from = limits.total.ends_at - limits.idle_seconds
        self.due = min(time.monotonic() + limits.first_seconds, limits.total.ends_at)

    def flowing(self) -> None:
        """Go from the limit for the first token to the limit between receives."""
        if not self._flows:
            self._flows = True
            self._limits.watch.answered()

    def left(self) -> float:
        """Return how many seconds the next receive may take; raises BackendTimeout if none."""
        now = time.monotonic()
        if self._flows:
            if now < self._cut_from:
                self.due = now + self._idle_seconds
                # Always the same number, so that the socket need not be told anew.
                return self._idle_seconds
            self.due = self._limits.total.ends_at
        if now >= self.due:
            raise self.error()
        return self.due - now

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
        """Return an error, or in place of a socket's timeout the one that names the limit."""
        return self.error() if isinstance(error, BackendTimeout) else error
