"""What some tests need beyond the virtual environment, and the line that installs it."""

import os
import shutil

import pytest


def need(present: object, what: str, install: str) -> None:
    """Skip the running test when something is missing, naming the line that installs it.

    In CI (`CI=true`) that is a failure: there `.ci/run` has installed everything.
    """
    if present:
        return
    reason = f"{what} is missing; install it with: {install}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def need_program(name: str, install: str) -> str:
    """Return the path of a system program, or skip."""
    path = shutil.which(name)
    need(path, name, install)
    return str(path)
