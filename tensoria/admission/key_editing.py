"""Changes to API_KEYS_FILE: a key more or less, and all else in it as a person left it."""

import fcntl
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from tensoria.admission.key_file import NAME, parse
from tensoria.config import ConfigError

_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*keys[ \t]*\]\]", re.MULTILINE)

Value = str | int | bool | date | tuple[str, ...]


def add(path: Path, name: str, sha256: str, options: Mapping[str, Value]) -> None:
    """Write one key more; raises ConfigError, and then changes nothing."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"the name {name[:70]!r} needs up to 64 letters, digits and ._@+-")

    def changed(text: str) -> str:
        _check_free(text, name)
        lines = [f"{option} = {_toml(value)}" for option, value in options.items()]
        table = "\n".join(["[[keys]]", f'name = "{name}"', f'sha256 = "{sha256}"', *lines])
        return f"{text.rstrip()}\n\n{table}\n".lstrip()

    _change(path, changed)


def remove(path: Path, name: str) -> None:
    """Take one key out; raises ConfigError if there is none, and then changes nothing."""

    def changed(text: str) -> str:
        starts = [found.start() for found in _TABLE.finditer(text)]
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            if _name_of(text[start:end]) == name:
                return text[:start] + _notes_after(text[start:end]) + text[end:]
        raise ConfigError(f"API_KEYS_FILE has no key named {name[:70]!r}")

    _change(path, changed)


def _change(path: Path, changed: Callable[[str], str]) -> None:
    """Replace the file's text, alone and at once: nobody ever reads half of it."""
    # A link stays one.
    path = Path(os.path.realpath(path))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
            parse(text)
            new = changed(text)
            parse(new)
            _replace(path, new)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"API_KEYS_FILE cannot be changed ({getattr(error, 'strerror', None) or 'no UTF-8'})"
        ) from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others who change the file out; those who read it need not wait."""
    # The folder, because the file itself is replaced.
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    # Only its owner may read it: mkstemp's mode is 0600.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # Root, who makes a key for the service's user, must not take the file from it.
            owner = (path if path.exists() else path.parent).stat()
            with suppress(PermissionError):
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _check_free(text: str, name: str) -> None:
    if any(key.name == name for key in parse(text).values()):
        raise ConfigError(f"API_KEYS_FILE has a key named {name!r} already; revoke it first")


def _name_of(table: str) -> object:
    try:
        return tomllib.loads(table)["keys"][0].get("name")
    except tomllib.TOMLDecodeError:
        return None


def _notes_after(table: str) -> str:
    """Return the comments below a table, which belong to the one that follows."""
    lines = table.splitlines(keepends=True)
    kept = len(lines)
    while kept > 1 and (not lines[kept - 1].strip() or lines[kept - 1].lstrip().startswith("#")):
        kept -= 1
    return "".join(lines[kept:]).lstrip("\n")


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return value.isoformat() if isinstance(value, date) else str(value)
