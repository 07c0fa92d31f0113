"""What may wait for a disk holds up no other greenlet."""

import os
import sys
import threading

import gevent
import pytest

from tensoria.server.aside import Aside


def test_others_run_while_one_waits_aside() -> None:
    """The lock is a real one, in a process that nothing has patched: it would stop the hub."""
    lock = threading.Lock()
    lock.acquire()
    aside = Aside()
    waiting = gevent.spawn(aside, lock.acquire)
    gevent.sleep(0.01)
    assert not waiting.dead
    lock.release()

    assert waiting.get(timeout=5) is True


def test_what_it_returns_and_raises_comes_back() -> None:
    aside = Aside()

    assert aside(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        aside(lambda: 1 / 0)


def test_one_after_the_other_in_one_thread() -> None:
    aside = Aside()

    assert len({aside(threading.get_ident) for _ in range(5)}) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread is as nice as its process")
def test_what_nobody_waits_for_is_nice_to_the_worker() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    before = niceness()

    assert Aside(humble=True)(niceness) == 19
    assert Aside()(niceness) == before
    assert niceness() == before


def test_nobody_waits_longer_than_it_may_for_a_disk_that_hangs() -> None:
    """Neither who has begun, nor who stands behind."""
    lock = threading.Lock()
    lock.acquire()
    aside = Aside(0.05)
    with pytest.raises(TimeoutError):
        aside(lock.acquire)
    with pytest.raises(TimeoutError):
        aside(lambda: 7)
    lock.release()
    gevent.sleep(0.05)

    assert aside(lambda: 7) == 7


def test_what_it_raises_is_not_written_out(capfd: pytest.CaptureFixture[str]) -> None:
    """gevent would: with the message, which may hold what a client said."""

    def fail() -> None:
        raise ValueError("a secret of mine")

    with pytest.raises(ValueError, match="secret"):
        Aside()(fail)
    gevent.sleep(0.02)

    assert "secret" not in capfd.readouterr().err
