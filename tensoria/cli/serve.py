"""`tensoria serve`: gunicorn with our settings, from any folder."""

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

from tensoria.admission import kept_keys
from tensoria.cli.failures import CommandError
from tensoria.config import Settings, environment

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

# Set by `tensoria up` for the gateway that it starts.
PARENT_PID = "TENSORIA_PARENT_PID"
# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1


def run(_args: argparse.Namespace) -> int:
    """Serve until a signal ends it. Raise ConfigError before anything is started."""
    end_with_parent(os.environ)
    kept_keys.check(load_settings().api_keys_file)
    # gunicorn reads this one by itself while it is imported, and breaks when it is empty, which is
    # how docker-compose.yml passes on what is not set.
    if not os.environ.get("WEB_CONCURRENCY"):
        os.environ.pop("WEB_CONCURRENCY", None)
    from tensoria.server import application  # gunicorn: only where it is run

    application.run(load_settings, load_app)
    return 0


def load_settings() -> Settings:
    """Read the settings anew, from the environment and `.env`."""
    return Settings.from_env(environment(os.environ))


def load_app(settings: Settings) -> "WSGIApplication":
    """Build the application; called in a worker, once it has patched the standard library."""
    from tensoria.app import create_app, look_at_engine
    from tensoria.metrics.base import FOLDER

    app = create_app(settings, metrics_folder=os.environ.get(FOLDER))
    look_at_engine(app)
    return app


def end_with_parent(environ: MutableMapping[str, str]) -> None:
    """Have the kernel send us SIGTERM when `tensoria up` ends, even by SIGKILL; Linux only.

    The engine's way, a thread that reads stdin, would not do here: the arbiter forks its workers,
    and a process that forks should have one thread.
    """
    parent = environ.pop(PARENT_PID, None)
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # It may have ended before that call.
    if str(os.getppid()) != parent:
        raise CommandError("the `tensoria up` that started this gateway has ended")
