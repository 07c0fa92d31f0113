"""The folder in which workers share their metrics: made by the arbiter, and new at each start.

It is in memory where that can be: what is written into a mapped file must not wait for a disk, and
on a full one it would end the worker. Without a folder there are no metrics, and the log says so.

Arbiter and workers hold its lock together, the workers by the fork: one that nobody holds was left
by a service that was killed, and the next start clears it away.
"""

import fcntl
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tensoria.metrics.base import FOLDER

_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # mkdtemp makes a folder in it that nobody can foresee

_PREFIX = "tensoria-metrics-"
_LOCK = "in-use"

_log = logging.getLogger("tensoria.server")


def make(arbiter: Any) -> None:
    """gunicorn's `when_ready`: called once, before the first worker; not on HUP."""
    if arbiter.master_pid:
        # Made by USR2 beside an arbiter that still runs: they count together.
        if FOLDER in os.environ:
            _hold(Path(os.environ[FOLDER]))
        return
    try:
        os.environ[FOLDER] = _made(os.environ.get(FOLDER))
    except OSError as error:
        os.environ.pop(FOLDER, None)
        _log.warning("there are no metrics: no folder for them can be made (%s)", error.strerror)


def remove(arbiter: Any) -> None:
    """gunicorn's `on_exit`: called once, when every worker has ended."""
    folder = os.environ.get(FOLDER)
    if folder and not arbiter.reexec_pid and not arbiter.master_pid:
        shutil.rmtree(folder, ignore_errors=True)


def _made(chosen: str | None) -> str:
    """Return a new folder, inside the one that the operator chose if there is one."""
    within = chosen or (_IN_MEMORY if os.access(_IN_MEMORY, os.W_OK | os.X_OK) else None)
    if chosen:
        Path(chosen).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=within))
    _hold(folder)
    _clear_beside(folder)
    return str(folder)


def _hold(folder: Path) -> None:
    """Lock the folder for as long as this process, or one that it forks, lives."""
    # Never closed, but by the end of the last of them.
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)


def _clear_beside(folder: Path) -> None:
    for other in folder.parent.glob(f"{_PREFIX}*"):
        # One without a lock is just being made; one of another user cannot be opened.
        with suppress(OSError):
            lock = os.open(other / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(other, ignore_errors=True)
            finally:
                os.close(lock)
