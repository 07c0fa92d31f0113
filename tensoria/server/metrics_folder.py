"""The folder in which workers share their metrics: made by the arbiter, and new at each start.

It is in memory where that can be: what is written into a mapped file must not wait for a disk, and
on a full one it would end the worker. Without a folder there are no metrics, and the log says so.
"""

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tensoria.metrics.base import FOLDER

_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # mkdtemp makes a folder in it that nobody can foresee

_log = logging.getLogger("tensoria.server")


def make(arbiter: Any) -> None:
    """gunicorn's `when_ready`: called once, before the first worker; not on HUP."""
    if arbiter.master_pid:
        # Made by USR2 beside an arbiter that still runs: they count together.
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
    return tempfile.mkdtemp(prefix="tensoria-metrics-", dir=within)
