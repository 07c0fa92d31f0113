"""The environment and `.env`: found, read as text, and turned into typed values."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from dotenv import dotenv_values

KeepAlive = str | int | float
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Go's time.ParseDuration, which reads `keep_alive` strings in Ollama. ASCII, here and below:
# Python's \d also takes the digits of other scripts.
GO_DURATION = re.compile(
    r"-?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))*", re.ASCII
)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^/\s?#@*:\[\]]+)(:[0-9]+)?")
# Timers, and numbers of 32 bits in the engines, overflow a little above it.
_LARGEST = 1_000_000_000
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class ConfigError(Exception):
    """A setting has a value that cannot be used; the message starts with the variable's name."""


def environment(environ: Mapping[str, str], folder: Path | None = None) -> dict[str, str]:
    """Return the process's variables over those of `.env` in `folder` (the current one).

    `.env` is read anew at each call and never written into `os.environ`, so that a HUP sees its
    new values. An empty variable counts as unset, in both places. Raises ConfigError when the
    file is there and cannot be read: going on without its API_KEY would open the service.
    """
    path = (folder or Path.cwd()) / ".env"
    try:
        # With a byte order mark, which some editors write, the first name would not be found.
        from_file = (
            dotenv_values(path, interpolate=False, encoding="utf-8-sig") if path.is_file() else {}
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(".env cannot be read; it must be a text file in UTF-8") from error
    merged = {name: value for name, value in from_file.items() if value}
    merged.update((name, value) for name, value in environ.items() if value)
    return merged


class Reader:
    """Typed access to the variables; every error names the variable and repeats no secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def words(self, name: str) -> tuple[str, ...]:
        value = self.text(name)
        found = tuple(word for part in (value or "").split(",") if (word := part.strip()))
        if value and not found:
            raise ConfigError(f"{name} holds commas and nothing else")
        return found

    def pairs(self, name: str) -> Mapping[str, str]:
        """Read `a=b,c=d`; the same name twice, in any spelling, would have two meanings."""
        found: dict[str, str] = {}
        seen: set[str] = set()
        for word in self.words(name):
            left, equals, right = (part.strip() for part in word.partition("="))
            if not (left and equals and right):
                raise ConfigError(f"{name} must hold pairs such as gpt-4o=mistral, not {word!r}")
            same = left.lower().removesuffix(":latest")
            if same in seen:
                raise ConfigError(f"{name} names {left!r} twice")
            seen.add(same)
            found[left] = right
        return MappingProxyType(found)

    def boolean(self, name: str, default: str = "0") -> bool:
        value = (self.text(name) or default).lower()
        if value not in _TRUE | _FALSE:
            raise ConfigError(f"{name} must be 1 or 0, not {value!r}")
        return value in _TRUE

    def choice(
        self, name: str, default: str, allowed: tuple[str, ...], *, upper: bool = False
    ) -> str:
        value = self.text(name) or default
        value = value.upper() if upper else value.lower()
        if value not in allowed:
            raise ConfigError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def optional_choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        return self.choice(name, "", allowed) if self.text(name) else None

    def integer(self, name: str, default: int, *, minimum: int, maximum: int = _LARGEST) -> int:
        value = self.text(name)
        if value is None:
            return default
        # isdecimal alone would take other scripts' digits, int alone "1_000".
        if not (value.isascii() and value.isdecimal()):
            raise ConfigError(f"{name} must be a whole number, not {value!r}")
        return int(_bounded(name, value, minimum, maximum))

    def optional_integer(self, name: str, *, minimum: int) -> int | None:
        return self.integer(name, 0, minimum=minimum) if self.text(name) else None

    def number(
        self,
        name: str,
        default: float,
        *,
        minimum: float | None = None,
        maximum: float = _LARGEST,
    ) -> float:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", value, re.ASCII):
            raise ConfigError(f"{name} must be a number without a unit, not {value!r}")
        if minimum is None and float(value) == 0:
            raise ConfigError(f"{name} must be more than 0")
        return _bounded(name, value, minimum or 0, maximum)

    def path(self, name: str, default: str) -> Path:
        """Read a path; one that is relative begins where the service was started."""
        return Path(self.text(name) or default)

    def optional_path(self, name: str) -> Path | None:
        return self.path(name, "") if self.text(name) else None

    def url(self, name: str, default: str) -> str:
        value = self.text(name) or default
        if not _is_base_url(value):
            raise ConfigError(f"{name} must be an address such as {default}")
        return value.rstrip("/")

    def optional_url(self, name: str, example: str) -> str | None:
        return self.url(name, example) if self.text(name) else None

    def origins(self, name: str) -> frozenset[str]:
        """Browsers send them in lower case and compare letter by letter."""
        found = [origin.lower() for origin in self.words(name)]
        for origin in found:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"{name} must hold origins such as https://chat.example.org, not {origin!r}"
                )
        return frozenset(found)

    def networks(self, name: str) -> tuple[Network, ...]:
        """Read addresses and networks (10.0.0.0/8); an address is a network of one."""
        found = []
        for word in self.words(name):
            try:
                found.append(ipaddress.ip_network(word, strict=False))
            except ValueError:
                raise ConfigError(
                    f"{name} must hold addresses or networks such as 10.0.0.0/8, not {word!r}"
                ) from None
        return tuple(found)

    def keep_alive(self, name: str, default: str) -> KeepAlive:
        """A number goes up as a number: as a string without a unit Ollama refuses it."""
        value = self.text(name) or default
        if re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII):
            seconds = _bounded(name, value, -_LARGEST, _LARGEST)
            return seconds if "." in value else int(seconds)
        if not GO_DURATION.fullmatch(value):
            raise ConfigError(f"{name} must be seconds or a duration such as 5m, not {value!r}")
        return value


def _is_base_url(value: str) -> bool:
    """Tell whether an address can be the start of a URL; one with a password in it cannot."""
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return valid and not re.search(r"[\s@?#]", value)


def _bounded(name: str, value: str, minimum: float, maximum: float) -> float:
    number = float(value)
    if number < minimum:
        raise ConfigError(f"{name} must be at least {minimum}, not {value[:20]}")
    if number > maximum:
        raise ConfigError(f"{name} must be at most {maximum}, not {value[:20]}")
    return number
