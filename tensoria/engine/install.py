"""The engine's wheel: installed into the running environment when it is needed and missing."""

import importlib.metadata
import shlex
from collections.abc import Callable, Mapping

from tensoria.engine import packages
from tensoria.engine.failures import (
    NO_BUILD,
    NOT_INSTALLED,
    EngineError,
    NoMatchingBuild,
    PackageError,
)

# Pinned, because its API moves with llama.cpp's. Equal to the extra `embedded` of setup.cfg: a
# checkout that runs without being installed has no metadata to read it from.
REQUIREMENT = "xllamacpp==2026.10.11549"


def ensure_engine(environ: Mapping[str, str], report: Callable[[str], None]) -> None:
    """Install the pinned xllamacpp unless it is there, or raise EngineError."""
    name, _, version = REQUIREMENT.partition("==")
    if installed_version(name) == version:
        return
    report(f"Installing the engine {REQUIREMENT} (llama.cpp, about 34 MB) into this environment.")
    tool = packages.PIP
    try:
        tool = packages.find_tool(environ)
        packages.install(tool, REQUIREMENT, environ)
    except NoMatchingBuild as exc:
        raise EngineError(NO_BUILD.format(requirement=REQUIREMENT)) from exc
    except PackageError as exc:
        command = shlex.join((*tool.install, REQUIREMENT))
        raise EngineError(NOT_INSTALLED.format(reason=exc, command=command)) from exc


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, without importing it."""
    importlib.invalidate_caches()
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
