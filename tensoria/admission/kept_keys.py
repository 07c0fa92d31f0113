"""The keys file as it was last good, which outlives a HUP.

gunicorn's arbiter reads the file at its start and at each HUP, and its workers inherit what it has
by the fork. So a worker never meets a file that broke after the arbiter has read it, and one that
is replaced after a crash has the keys of all others.

What this module imports is the arbiter's too, and a HUP does not renew it: hence so little.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from tensoria.admission.key_file import Listed, read
from tensoria.config import ConfigError

_log = logging.getLogger("tensoria.keys")


@dataclass(slots=True)
class _Kept:
    path: Path | None = None
    listed: Listed | None = None


# Of a process, and not of an app: it has to outlive the app, and the configuration with it.
_kept = _Kept()


def accept(path: Path | None) -> None:
    """Read the file in the arbiter; one that is broken or gone leaves the old keys, and says so.

    Raises ConfigError where there are no old ones: a broken file stops the start.
    """
    listed = None if path is None else _read_or_keep(path)
    _kept.path, _kept.listed = path, listed


def check(path: Path | None) -> None:
    """Raise what `accept` would raise, and change nothing."""
    if path is not None and _kept.listed is None:
        read(path)


def accepted(path: Path | None) -> Listed | None:
    """Return the arbiter's keys, else (under a server that has none) read the file.

    None is no file. Raises ConfigError.
    """
    if path is None:
        return None
    if _kept.listed is not None and _kept.path == path:
        return _kept.listed
    return read(path)


def _read_or_keep(path: Path) -> Listed:
    try:
        listed = read(path)
        if path.exists():
            return listed
        if not _kept.listed:
            _log.warning(
                "API_KEYS_FILE is not there, and admits nobody until `tensoria keys new` has made "
                "it and the service was reloaded"
            )
            return listed
        raise ConfigError("API_KEYS_FILE is not there any more")
    except ConfigError as error:
        if _kept.listed is None:
            raise
        _log.error("the old keys stay: %s", error)
        return _kept.listed
