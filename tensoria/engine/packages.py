"""Fetching from the package registry with the tool that this Python has: pip, or uv.

The tool's own settings (mirror, proxy, certificates, retries) all apply, which is why this room
has no downloader of its own.
"""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensoria.engine.failures import NO_PACKAGE_TOOL, NoMatchingBuild, PackageError

_PIP = (sys.executable, "-m", "pip")
_WHEELS_ONLY = ("--no-deps", "--only-binary", ":all:")
# Both tools keep a copy of what they fetch; for a file that goes into our own cache it would be
# a second one.
_BY_HASH = (*_WHEELS_ONLY, "--require-hashes", "--no-cache-dir")

# First match wins: (words in the tool's stderr, reason). pip 23.2 and 26.3, uv 0.13.
_REASONS = (
    (("No space left on device", "os error 28"), "the disk is full"),
    (
        ("DO NOT MATCH THE HASHES", "Hash mismatch"),
        "what the package registry offers is not the file whose hash is locked",
    ),
    (
        (
            "connection broken",
            "Failed to fetch",
            "Could not fetch URL",
            "Max retries exceeded",
            "ReadTimeoutError",
        ),
        "the package registry cannot be reached",
    ),
)
_NO_MATCH = ("No matching distribution found", "has no usable wheels", "No solution found")


@dataclass(frozen=True)
class PackageTool:
    """The beginnings of two command lines: into this environment, and into a folder."""

    install: tuple[str, ...]
    download: tuple[str, ...]


PIP = PackageTool(install=(*_PIP, "install"), download=(*_PIP, "download", "--dest"))


def has_module(name: str) -> bool:
    """Tell whether this Python could import a module, without doing it."""
    return importlib.util.find_spec(name) is not None


def find_tool(environ: Mapping[str, str], has: Callable[[str], bool] = has_module) -> PackageTool:
    """Return pip, else uv (a venv made by uv has no pip), else pip as ensurepip brings it.

    Raise PackageError when there is none of them.
    """
    if has("pip"):
        return PIP
    if uv := shutil.which("uv", path=environ.get("PATH")):
        install = (uv, "pip", "install", "--python", sys.executable)
        return PackageTool(install=install, download=(*install, "--target"))
    if not has("ensurepip"):
        raise PackageError(NO_PACKAGE_TOOL)
    _run((sys.executable, "-m", "ensurepip"), environ, quiet=())
    return PIP


def install(tool: PackageTool, requirement: str, environ: Mapping[str, str]) -> None:
    """Install one wheel into the running environment, or raise PackageError."""
    _run((*tool.install, *_WHEELS_ONLY, requirement), environ)


def download(tool: PackageTool, lock: Path, folder: Path, environ: Mapping[str, str]) -> None:
    """Bring the wheel that a lock file names into `folder`, or raise PackageError.

    pip leaves the wheel there, uv its contents. The tool's temporary files go to `folder` too,
    so that they are on the file system that was looked at, and are removed with it.
    """
    temporary = dict(environ, TMPDIR=str(folder))
    _run((*tool.download, str(folder), *_BY_HASH, "--requirement", str(lock)), temporary)


def _run(
    command: Sequence[str], environ: Mapping[str, str], quiet: Sequence[str] = ("--quiet",)
) -> None:
    """Run the tool, with its own progress bar where there is a terminal to draw it on."""
    terminal = sys.stderr.isatty()
    done = subprocess.run(
        command if terminal else (*command, *quiet),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if terminal else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=dict(environ),
        check=False,
    )
    if done.returncode:
        raise failure(done.stderr, done.returncode)


def failure(stderr: str, returncode: int) -> PackageError:
    """Turn what the tool printed into an error with one short reason.

    pip says "No matching distribution" also when it reached no registry at all, so the signs of
    that are looked for first.
    """
    for words, reason in _REASONS:
        if any(word in stderr for word in words):
            return PackageError(reason)
    if any(word in stderr for word in _NO_MATCH):
        return NoMatchingBuild("the package registry does not offer it for this machine")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    return PackageError(errors[0][:200] if errors else f"exit code {returncode}")
