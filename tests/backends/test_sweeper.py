"""One thread ends every wait that is over, in time, and lives only while there are any."""

import gc
import threading
import time
from math import inf

import pytest

from tensoria.backends import sweeper as module
from tensoria.backends.sweeper import Sweeper
from tests import waiting


class Wait:
    """A wait until a moment, which notes when it was cut."""

    def __init__(self, sweeper: Sweeper) -> None:
        self.due = inf
        self.ended = threading.Event()
        self.late = inf
        self._sweeper = sweeper
        sweeper.watch(self)

    def until(self, seconds: float) -> None:
        self.due = self._by = time.monotonic() + seconds
        if self.due < self._sweeper.next_look:
            self._sweeper.look()

    def expire(self) -> None:
        self.late = time.monotonic() - self._by
        self.ended.set()


def until_idle(sweeper: Sweeper) -> None:
    waiting.until(lambda: not sweeper._running)


def test_a_wait_is_cut_when_it_is_due_and_only_once() -> None:
    sweeper = Sweeper()
    wait = Wait(sweeper)
    wait.until(0.1)

    assert wait.ended.wait(5)
    assert 0 <= wait.late < 0.5
    assert wait.due == inf
    until_idle(sweeper)


def test_one_that_is_due_sooner_is_not_kept_waiting_by_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 60.0)
    sweeper = Sweeper()
    far, near = Wait(sweeper), Wait(sweeper)
    far.until(60)
    near.until(0.1)

    assert near.ended.wait(5)
    assert not far.ended.is_set()
    far.due = inf
    sweeper.look()
    until_idle(sweeper)


def test_a_limit_that_moved_nearer_is_noticed_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    sweeper = Sweeper()
    wait = Wait(sweeper)
    wait.until(60)
    # Without a call: as a receive does when the next look comes soon enough.
    wait.due = wait._by = time.monotonic()

    assert wait.ended.wait(5)
    until_idle(sweeper)


def test_what_waits_for_nothing_or_is_forgotten_is_never_cut() -> None:
    sweeper = Sweeper()
    silent, forgotten, due = Wait(sweeper), Wait(sweeper), Wait(sweeper)
    forgotten.due = forgotten._by = time.monotonic()
    sweeper.forget(forgotten)
    sweeper.forget(forgotten)
    due.until(0.05)

    assert due.ended.wait(5)
    until_idle(sweeper)
    assert not silent.ended.is_set()
    assert not forgotten.ended.is_set()


def test_its_thread_ends_with_the_last_wait_and_begins_anew_with_the_next() -> None:
    sweeper = Sweeper()
    for _ in range(3):
        wait = Wait(sweeper)
        wait.until(0.02)
        assert wait.ended.wait(5)
        until_idle(sweeper)
        assert sweeper.next_look == inf


def test_no_wait_is_missed_however_they_begin_and_end() -> None:
    """Each begins in the moment when the thread may just be about to end."""
    sweeper = Sweeper()
    waits: list[Wait] = []

    def wait_often() -> None:
        for _ in range(50):
            wait = Wait(sweeper)
            wait.until(0.001)
            assert wait.ended.wait(5)
            waits.append(wait)

    threads = [threading.Thread(target=wait_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(waits) == 400
    until_idle(sweeper)


def test_what_nobody_has_any_more_is_not_kept_for_the_sake_of_its_limit() -> None:
    sweeper = Sweeper()
    wait = Wait(sweeper)
    wait.until(60)
    del wait
    gc.collect()

    assert sweeper._all() == []
