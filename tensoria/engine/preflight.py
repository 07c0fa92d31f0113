"""Whether the engine runs on this machine, found out in a process that may die of it."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tensoria.engine import libgomp
from tensoria.engine.failures import NO_AVX2, NO_LIBGOMP, EngineError

# The wheel is built for AVX2 without a dispatch at run time. Importing it passes on any CPU; the
# first call dies of an illegal instruction on an older one. -P: the current folder's files must
# not stand in for modules.
PROBE = (sys.executable, "-P", "-c", "import xllamacpp; xllamacpp.get_system_info()")
# As Python tells it, and as a shell or a container does.
_ILLEGAL_INSTRUCTION = (-signal.SIGILL, 128 + signal.SIGILL)

FindLibrary = Callable[[Mapping[str, str], Callable[[str], None]], Path]


def check(
    environ: Mapping[str, str],
    report: Callable[[str], None],
    *,
    probe: Sequence[str] = PROBE,
    find_libgomp: FindLibrary = libgomp.libgomp_folder,
    seconds: float = 60,
) -> dict[str, str]:
    """Return the environment in which the engine runs, or raise EngineError.

    It is the given one, with LD_LIBRARY_PATH where libgomp had to be fetched.
    """
    found = dict(environ)
    outcome = _run(probe, found, seconds)
    if outcome.returncode and libgomp.NAME in outcome.stderr:
        found = _with_library(found, find_libgomp(environ, report))
        outcome = _run(probe, found, seconds)
        if outcome.returncode and libgomp.NAME in outcome.stderr:
            raise EngineError(NO_LIBGOMP.format(reason="the copy that was fetched does not load"))
    if outcome.returncode in _ILLEGAL_INSTRUCTION:
        raise EngineError(NO_AVX2)
    if outcome.returncode:
        lines = outcome.stderr.strip().splitlines() or [f"exit code {outcome.returncode}"]
        raise EngineError(f"The embedded engine does not run on this machine: {lines[-1]}")
    return found


def _run(
    probe: Sequence[str], environ: dict[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            probe,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environ,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise EngineError(
            f"The embedded engine did not start within {seconds:g} s on this machine."
        ) from exc


def _with_library(environ: dict[str, str], folder: Path) -> dict[str, str]:
    """Put `folder` before what LD_LIBRARY_PATH holds; an empty part would mean the current one."""
    parts = [str(folder), *filter(None, [environ.get("LD_LIBRARY_PATH")])]
    return environ | {"LD_LIBRARY_PATH": ":".join(parts)}
