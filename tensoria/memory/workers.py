"""Which workers live: each that runs responses beside their requests holds a lock on a file.

The lock goes with the process, however that ends. The next worker takes the same file and writes a
token of its own into it, so that nobody takes it for the one before.
"""

import fcntl
import os
import secrets
from pathlib import Path

# More run on no machine; and a folder full of locks is nobody's.
MOST_WORKERS = 256
_TOKEN_BYTES = 12


class Worker:
    """This process; its token is made when it first runs something. Called aside, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None
        self._token = ""

    def token(self) -> str:
        """Return the name of this process among the runs; raises OSError."""
        if self._lock is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock, self._token = _begin(self._folder)
        return self._token

    def close(self) -> None:
        """Be dead for everybody who asks."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def is_alive(folder: Path, token: str) -> bool:
    """Tell whether the worker of a token still runs; raises OSError where that cannot be known."""
    number, _, _ = token.partition(":")
    try:
        descriptor = os.open(_path(folder, int(number)), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        if _locks(descriptor, fcntl.LOCK_SH):
            return False
        return os.pread(descriptor, 100, 0).decode() == token
    finally:
        os.close(descriptor)


def _begin(folder: Path) -> tuple[int, str]:
    for number in range(MOST_WORKERS):
        descriptor = os.open(_path(folder, number), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _locks(descriptor, fcntl.LOCK_EX):
                os.close(descriptor)
                continue
            token = f"{number}:{secrets.token_hex(_TOKEN_BYTES)}"
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, token.encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor, token
    raise OSError(f"all {MOST_WORKERS} locks are in use")


def _locks(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _path(folder: Path, number: int) -> Path:
    return folder / f"worker-{number}.lock"
