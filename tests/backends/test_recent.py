"""One fetch for all who ask meanwhile, its value or its error, and no longer than its age."""

import threading
import time

import pytest

from tensoria.backends.recent import Recent
from tensoria.errors import BackendUnavailable


class Source:
    """Counts its fetches; each waits for the gate."""

    def __init__(self, *, fails: bool = False) -> None:
        self.gate = threading.Event()
        self.started = threading.Event()
        self.fetches = 0
        self.fails = fails

    def fetch(self) -> int:
        self.fetches += 1
        self.started.set()
        assert self.gate.wait(5)
        if self.fails:
            raise BackendUnavailable("no engine")
        return self.fetches


def ask_at_once(source: Source, recent: Recent[int], callers: int = 20) -> list[object]:
    """Ask by many threads while the first one's fetch is held up."""
    got: list[object] = []

    def ask() -> None:
        try:
            got.append(recent.get())
        except BackendUnavailable as error:
            got.append(error.code)

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    threads[0].start()
    assert source.started.wait(5)
    for thread in threads[1:]:
        thread.start()
    # None of them can be seen to wait before a lock; this is time enough to come there.
    threads[1].join(0.1)
    source.gate.set()
    for thread in threads:
        thread.join(5)
    return got


def test_those_who_ask_during_a_fetch_share_its_value() -> None:
    source = Source()

    assert ask_at_once(source, Recent(source.fetch, max_age_seconds=60)) == [1] * 20
    assert source.fetches == 1


def test_those_who_ask_during_a_fetch_share_its_error() -> None:
    """Behind an engine that hangs, each would else hang in turn: the last one for minutes."""
    source = Source(fails=True)

    answers = ask_at_once(source, Recent(source.fetch, max_age_seconds=60))
    assert answers == ["engine_unavailable"] * 20
    assert source.fetches == 1


def _open(source: Source) -> Source:
    source.gate.set()
    return source


def test_an_error_is_not_kept_for_who_asks_later() -> None:
    source = _open(Source(fails=True))
    recent = Recent(source.fetch, max_age_seconds=60)
    with pytest.raises(BackendUnavailable):
        recent.get()
    source.fails = False

    assert recent.get() == 2


@pytest.mark.parametrize(("age", "fetches"), [(60, 1), (0, 3)])
def test_a_value_is_kept_for_its_age(age: float, fetches: int) -> None:
    source = _open(Source())
    recent = Recent(source.fetch, max_age_seconds=age)
    for _ in range(3):
        recent.get()

    assert source.fetches == fetches


def test_a_value_newer_than_a_moment_is_fetched_once_for_it() -> None:
    source = _open(Source())
    recent = Recent(source.fetch, max_age_seconds=60)
    recent.get()
    moment = time.monotonic()

    assert recent.newer_than(moment) == 2
    assert recent.newer_than(moment) == 2


def test_an_old_value_outlives_a_failed_fetch() -> None:
    source = _open(Source())
    recent = Recent(source.fetch, max_age_seconds=60)
    recent.get()
    source.fails = True
    with pytest.raises(BackendUnavailable):
        recent.newer_than(time.monotonic())

    assert recent.get() == 1


def test_a_value_may_be_empty_and_is_kept_all_the_same() -> None:
    calls: list[int] = []

    def fetch() -> dict[str, int]:
        calls.append(1)
        return {}

    recent: Recent[dict[str, int]] = Recent(fetch, max_age_seconds=60)
    recent.get()
    recent.get()

    assert len(calls) == 1
