"""What a key may ask for in a minute, and at a time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tensoria.admission.key import Key
from tensoria.admission.limits import Allowance, Limits, duration, share
from tensoria.errors import RateLimited


class Clock:
    """A wall clock that a test turns; it begins with a minute of its own."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


def allowance(workers: int = 1, **limits: Any) -> Allowance:
    made = Limits(workers).of(Key(name="ann", **limits))
    assert made is not None
    return made


def refused(allowed: Allowance) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        allowed.enter()
    return caught.value


def test_a_key_without_limits_is_not_counted() -> None:
    assert Limits().of(Key(name="ann", models=frozenset(), end_users=True)) is None


def test_each_key_has_limits_of_its_own() -> None:
    limits = Limits()
    ann, bob = (Key(name=name, requests_per_minute=1) for name in ("ann", "bob"))
    for key in (ann, bob):
        found = limits.of(key)
        assert found is not None
        found.enter()

    assert limits.of(ann) is limits.of(ann)


def test_requests_of_the_last_minute_are_counted_one_by_one(clock: Clock) -> None:
    allowed = allowance(requests_per_minute=2)
    allowed.enter()
    clock.now += 40
    allowed.enter()
    error = refused(allowed)

    assert error.code == "rate_limit_exceeded"
    assert "2 requests per minute" in error.message
    assert error.headers["Retry-After"] == "20"
    clock.now += 20.1
    allowed.enter()
    refused(allowed)


def test_a_refused_request_counts_for_nothing(clock: Clock) -> None:
    allowed = allowance(requests_per_minute=1, max_concurrency=1)
    allowed.enter()
    allowed.leave(0, 1)
    for _ in range(5):
        assert "requests per minute" in refused(allowed).message
    clock.now += 60.1
    allowed.enter()


def test_headers_tell_what_is_left_in_openais_form(clock: Clock) -> None:
    allowed = allowance(requests_per_minute=3, tokens_per_minute=1000)
    allowed.enter()
    clock.now += 1.5
    allowed.leave(300, 1.5)

    assert allowed.headers() == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "2",
        "x-ratelimit-reset-requests": "58.5s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "700",
        # Until nothing of them counts, which is the end of the next minute.
        "x-ratelimit-reset-tokens": "1m58.5s",
    }


def test_headers_of_an_unused_key(clock: Clock) -> None:
    assert allowance(requests_per_minute=3, tokens_per_minute=9).headers() == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "0s",
        "x-ratelimit-limit-tokens": "9",
        "x-ratelimit-remaining-tokens": "9",
        "x-ratelimit-reset-tokens": "0s",
    }


def test_a_key_has_headers_for_the_limits_that_it_has() -> None:
    assert allowance(max_concurrency=1).headers() == {}


def test_a_refusal_has_the_headers_too(clock: Clock) -> None:
    allowed = allowance(requests_per_minute=1)
    allowed.enter()

    assert refused(allowed).headers["x-ratelimit-remaining-requests"] == "0"


def test_an_answer_may_take_more_tokens_than_were_left(clock: Clock) -> None:
    """And all of them count: otherwise one long answer would cost nothing."""
    allowed = allowance(tokens_per_minute=100)
    allowed.enter()
    allowed.leave(150, 1)
    error = refused(allowed)

    assert "100 tokens per minute" in error.message
    assert error.headers["x-ratelimit-remaining-tokens"] == "0"
    # 60 s to the minute's end, and 20 more until 2/3 of 150 are left of it.
    assert "in 80 s" in error.message
    assert error.headers["Retry-After"] == "60"
    clock.now += 79
    refused(allowed)
    clock.now += 1.5
    allowed.enter()


def test_last_minutes_tokens_weigh_less_and_less(clock: Clock) -> None:
    allowed = allowance(tokens_per_minute=100)
    allowed.enter()
    allowed.leave(90, 1)
    clock.now += 60
    allowed.enter()
    allowed.leave(55, 1)

    # 90 of the last minute and 55 of this one: there is room when the 90 count for 45.
    assert refused(allowed).headers["Retry-After"] == "30"
    clock.now += 29
    refused(allowed)
    clock.now += 2
    allowed.enter()
    assert allowed.headers()["x-ratelimit-remaining-tokens"] == "2"


def test_so_many_run_at_a_time(clock: Clock) -> None:
    allowed = allowance(max_concurrency=2)
    allowed.enter()
    allowed.enter()
    error = refused(allowed)
    allowed.leave(0, 3)
    allowed.enter()

    assert "2 requests at a time (max_concurrency)" in error.message
    assert error.headers["Retry-After"] == "1"


def test_how_long_to_wait_for_another_to_end_is_learned(clock: Clock) -> None:
    allowed = allowance(max_concurrency=1)
    for _ in range(30):
        allowed.enter()
        allowed.leave(0, 20)
    allowed.enter()

    assert refused(allowed).headers["Retry-After"] == "20"


def test_what_is_refused_for_another_limit_does_not_run(clock: Clock) -> None:
    allowed = allowance(max_concurrency=1, tokens_per_minute=1)
    allowed.enter()
    allowed.leave(1, 1)
    refused(allowed)
    clock.now += 200
    allowed.enter()


def test_threads_that_come_at_once_get_exactly_what_there_is() -> None:
    limits = Limits()
    key = Key(name="ann", requests_per_minute=50, max_concurrency=1000)
    start = threading.Barrier(8)

    def ask(_: int) -> int:
        start.wait()
        admitted = 0
        for _ in range(20):
            found = limits.of(key)
            assert found is not None
            try:
                found.enter()
            except RateLimited:
                continue
            admitted += 1
        return admitted

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 50


def test_several_workers_have_a_share_each(clock: Clock) -> None:
    allowed = allowance(4, requests_per_minute=10)

    assert allowed.headers()["x-ratelimit-limit-requests"] == "2"


@pytest.mark.parametrize(
    ("limit", "workers", "each"), [(None, 2, None), (10, 1, 10), (10, 3, 3), (1, 4, 1)]
)
def test_shares(limit: int | None, workers: int, each: int | None) -> None:
    assert share(limit, workers) == each


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-1, "0s"),
        (0, "0s"),
        (0.0123, "13ms"),
        (0.999, "999ms"),
        (1, "1s"),
        (7.66, "7.66s"),
        (59.9999, "1m0s"),
        (60, "1m0s"),
        (119.5, "1m59.5s"),
        (360, "6m0s"),
    ],
)
def test_durations(seconds: float, written: str) -> None:
    assert duration(seconds) == written
