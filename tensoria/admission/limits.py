"""What a key may still ask for: requests and tokens a minute, and how many at a time.

Counted in the memory of one worker, which has its share where there are several.
"""

import math
import threading
import time
from functools import cached_property

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from tensoria.admission.key import Key
from tensoria.admission.refusals import MOST_RETRY_SECONDS
from tensoria.errors import RateLimited

_MINUTE = 60
# What the last answer counts for in the mean time that one takes.
_WEIGHT = 0.2


class Limits:
    """The allowances of one worker's keys, each made when its key is first seen."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._allowances: dict[str, Allowance] = {}

    @cached_property
    def _storage(self) -> MemoryStorage:
        # It starts a thread, which nobody needs who has no limits.
        return MemoryStorage()

    def of(self, key: Key) -> "Allowance | None":
        """Return what a key has left, None where nothing is counted."""
        allowance = self._allowances.get(key.name)
        if allowance is None and (
            key.requests_per_minute or key.tokens_per_minute or key.max_concurrency
        ):
            made = Allowance(key, self._storage, self._workers)
            # Of two that are made at once, both requests count in the first.
            allowance = self._allowances.setdefault(key.name, made)
        return allowance


class Allowance:
    """What one key has left; `enter` takes from it, and `leave` charges what was used."""

    def __init__(self, key: Key, storage: MemoryStorage, workers: int) -> None:
        self._running = _Running(share(key.max_concurrency, workers))
        self._requests = _Requests(key.name, share(key.requests_per_minute, workers), storage)
        self._tokens = _Tokens(key.name, share(key.tokens_per_minute, workers), storage)

    def enter(self) -> None:
        """Count a request that begins; raises RateLimited, and then counts nothing."""
        try:
            self._running.enter()
            try:
                self._tokens.check()
                self._requests.take()
            except BaseException:
                self._running.leave()
                raise
        except RateLimited as error:
            error.headers = {**error.headers, **self.headers()}
            raise

    def leave(self, tokens: int, seconds: float) -> None:
        """Count a request that is over, with its tokens and how long it took."""
        self._running.leave(seconds)
        self._tokens.charge(tokens)

    def headers(self) -> dict[str, str]:
        """Return OpenAI's x-ratelimit headers, of the limits that there are.

        Source: platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
        """
        return self._requests.headers() | self._tokens.headers()


class _Running:
    """How many requests of a key are under way, those that wait for a slot included."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._count = 0
        self._mean_seconds = 1.0

    def enter(self) -> None:
        with self._lock:
            if self._most is not None and self._count >= self._most:
                raise _refused(
                    f"{self._most} requests at a time (max_concurrency)",
                    self._mean_seconds / self._most,
                )
            self._count += 1

    def leave(self, seconds: float | None = None) -> None:
        with self._lock:
            self._count -= 1
            if seconds is not None:
                self._mean_seconds += _WEIGHT * (seconds - self._mean_seconds)


class _Requests:
    """Requests in the last 60 seconds, each remembered by its moment."""

    def __init__(self, name: str, most: int | None, storage: MemoryStorage) -> None:
        self._item = _per_minute(most)
        self._name = f"{name} requests"
        self._window = MovingWindowRateLimiter(storage)
        self._latest = 0.0

    def take(self) -> None:
        if self._item is None:
            return
        if self._window.hit(self._item, self._name):
            self._latest = time.time()
            return
        seconds = self._window.get_window_stats(self._item, self._name).reset_time - time.time()
        raise _refused(f"{self._item.amount} requests per minute", seconds)

    def headers(self) -> dict[str, str]:
        if self._item is None:
            return {}
        remaining = self._window.get_window_stats(self._item, self._name).remaining
        full = self._latest + _MINUTE - time.time()
        return _headers("requests", self._item.amount, remaining, full)


class _Tokens:
    """Tokens in the last 60 seconds: this minute's, and the share of the last one's.

    What an answer will take is not known before: while anything is left a request is let in, and
    what it took counts afterwards, more than there was included.
    """

    def __init__(self, name: str, most: int | None, storage: MemoryStorage) -> None:
        self._item = _per_minute(most)
        self._name = f"{name} tokens"
        self._storage = storage
        self._window = SlidingWindowCounterRateLimiter(storage)

    def check(self) -> None:
        if self._item is None or self._window.test(self._item, self._name):
            return
        raise _refused(f"{self._item.amount} tokens per minute", self._seconds_until_one())

    def charge(self, tokens: int) -> None:
        if self._item is None or not tokens:
            return
        # `hit` would refuse what goes beyond the limit and count nothing, and the answer is given.
        _, current = self._storage.sliding_window_keys(self._key(), _MINUTE, time.time())
        self._storage.incr(current, 2 * _MINUTE, amount=tokens)

    def headers(self) -> dict[str, str]:
        if self._item is None:
            return {}
        before, before_seconds, now, now_seconds = self._storage.get_sliding_window(
            self._key(), _MINUTE
        )
        used = math.floor(before * before_seconds / _MINUTE + now)
        full = now_seconds if now else before_seconds if before else 0
        return _headers("tokens", self._item.amount, max(0, self._item.amount - used), full)

    def _key(self) -> str:
        assert self._item is not None  # noqa: S101  # asked for where there is a limit
        return self._item.key_for(self._name)

    def _seconds_until_one(self) -> float:
        """Return in how many seconds a token is left, if none is used until then.

        What was used this minute weighs less and less from its end on, as last minute's does now.
        """
        assert self._item is not None  # noqa: S101  # as above
        before, before_seconds, now, now_seconds = self._storage.get_sliding_window(
            self._key(), _MINUTE
        )
        most = self._item.amount
        if now < most:
            return before_seconds - _MINUTE * (most - now) / max(1, before)
        return now_seconds - _MINUTE * most / now


def share(limit: int | None, workers: int) -> int | None:
    """Divide a limit among the workers, which know nothing of each other; each has one at least."""
    return None if limit is None else max(1, limit // workers)


def duration(seconds: float) -> str:
    """Write seconds as OpenAI does, which is Go's way: 12ms, 7.66s, 1m0s."""
    # Rounded first: what is exact on paper has a millionth too much as a float.
    milliseconds = max(0, math.ceil(round(seconds * 1000, 2)))
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes}m{rest / 1000:g}s" if minutes else f"{rest / 1000:g}s"


def _per_minute(most: int | None) -> RateLimitItem | None:
    return None if most is None else RateLimitItemPerMinute(most)


def _headers(what: str, limit: int, remaining: int, full_seconds: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": str(limit),
        f"x-ratelimit-remaining-{what}": str(remaining),
        # "The time until the rate limit resets to its initial state".
        f"x-ratelimit-reset-{what}": duration(full_seconds),
    }


def _refused(limit: str, seconds: float) -> RateLimited:
    wait = max(1, math.ceil(seconds))
    error = RateLimited(f"Rate limit reached: this key has {limit}. Try again in {wait} s.")
    error.headers = {"Retry-After": str(min(MOST_RETRY_SECONDS, wait))}
    return error
