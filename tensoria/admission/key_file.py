"""API_KEYS_FILE: keys by the digests that stand in a TOML file.

[[keys]]
name = "ann"
sha256 = "…64 hexadecimal digits…"
requests_per_minute = 60      # these, and what follows, may be left out
tokens_per_minute = 20000
max_concurrency = 2
models = ["mistral"]
expires = 2027-01-31
end_users = true
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tensoria.admission.key import Key
from tensoria.config import ConfigError
from tensoria.translate.names import canonical

Listed = Mapping[bytes, Key]

# It stands in log lines, tables and metrics.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
MOST = 1_000_000_000


def read(path: Path) -> Listed:
    """Return the keys of a file; one that is not there has none, and admits nobody.

    Raises ConfigError, which repeats nothing of the file but names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"API_KEYS_FILE cannot be read ({type(error).__name__}); it must be a text file in "
            "UTF-8 that the service's user may read"
        ) from None
    return parse(text)


def parse(text: str) -> Listed:
    """Return the keys of a file's text, or raise ConfigError that says what is wrong where."""
    try:
        loaded = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Its message may quote a letter of what it stumbled over, and no more.
        raise ConfigError(f"API_KEYS_FILE is not TOML: {error}") from None
    tables = loaded.get("keys", [])
    if loaded.keys() - {"keys"} or not isinstance(tables, list):
        raise ConfigError("API_KEYS_FILE must hold tables named [[keys]] and nothing else")
    found: dict[bytes, Key] = {}
    names: set[str] = set()
    for position, table in enumerate(tables, 1):
        kept, key = _entry(table, position)
        if key.name in names or kept in found:
            raise ConfigError(f"API_KEYS_FILE: {key.name!r} has a name or a sha256 that is taken")
        names.add(key.name)
        found[kept] = key
    return found


def _entry(table: object, position: int) -> tuple[bytes, Key]:
    name = table.get("name") if isinstance(table, dict) else None
    if not isinstance(table, dict) or not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(
            f"API_KEYS_FILE: key number {position} needs a name of up to 64 letters, digits and "
            "._@+-"
        )
    sha256 = table.get("sha256")
    if not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256.lower()):
        raise ConfigError(f"API_KEYS_FILE: sha256 of {name!r} must be 64 hexadecimal digits")
    options = {option: value for option, value in table.items() if option not in _REQUIRED}
    for option in options:
        if option not in _READERS:
            raise ConfigError(f"API_KEYS_FILE: {name!r} has {option[:40]!r}, which means nothing")
    read_options = {
        option: _READERS[option](f"API_KEYS_FILE: {option} of {name!r}", value)
        for option, value in options.items()
    }
    return bytes.fromhex(sha256), Key(name=name, listed=True, **read_options)


def _whole(what: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise ConfigError(f"{what} must be a whole number from 1 on; leave it out for no limit")
    return value


def _flag(what: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{what} must be true or false")
    return value


def _models(what: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise ConfigError(f'{what} must be a list of names such as ["mistral"]')
    return frozenset(canonical(each) for each in value)


def _moment(what: str, value: object) -> datetime:
    """Read when a key ends: a day counts to its end, and a time without a zone is UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC) + timedelta(days=1)
    raise ConfigError(f"{what} must be a date such as 2027-01-31, without quotes")


_REQUIRED = ("name", "sha256")
_READERS: dict[str, Callable[[str, object], Any]] = {
    "requests_per_minute": _whole,
    "tokens_per_minute": _whole,
    "max_concurrency": _whole,
    "models": _models,
    "expires": _moment,
    "end_users": _flag,
}
