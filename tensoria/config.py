"""Settings: read once from the environment, checked, and then never changed.

`Settings.from_env` is called in `wsgi.py`, `gunicorn.conf.py` and `cli/`, and nothing else reads
the environment. A bad value stops the start and names its variable.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

KeepAlive = str | int | float

# Go's time.ParseDuration, which reads `keep_alive` strings in Ollama. ASCII, here and below:
# Python's \d also takes the digits of other scripts.
_GO_DURATION = re.compile(
    r"-?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))*", re.ASCII
)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^/\s?#@*:\[\]]+)(:[0-9]+)?")
# Timers, and numbers of 32 bits in the engines, overflow a little above it.
_LARGEST = 1_000_000_000
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the service was told. Times are in seconds, sizes in bytes, lengths in tokens."""

    api_keys: tuple[str, ...] = field(repr=False)
    api_host: str
    api_port: int
    cors_origins: frozenset[str]
    max_body_bytes: int
    engine: str
    engine_base_url: str
    engine_api_key: str | None = field(repr=False)
    engine_label: str | None
    embedded_model: str | None
    allow_cloud_models: bool
    timeout_seconds: float
    load_timeout_seconds: float
    stream_idle_timeout_seconds: float
    keep_alive: KeepAlive
    context_length: int | None
    default_model: str
    default_temperature: float
    max_tokens: int
    max_tokens_limit: int | None
    max_concurrency: int
    workers: int
    log_level: str
    log_format: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check every setting, or raise ConfigError naming the variable at fault."""
        env = _Reader(environ)
        engine = env.choice("ENGINE", "ollama", ("ollama", "openai"))
        ollama_port = env.integer("OLLAMA_PORT", 11434, minimum=1, maximum=65535)
        ollama_url = env.url("OLLAMA_BASE_URL", f"http://127.0.0.1:{ollama_port}")
        if engine == "openai" and not env.text("ENGINE_BASE_URL"):
            raise ConfigError("ENGINE_BASE_URL must be set when ENGINE=openai")
        engine_url = _with_version(env.url("ENGINE_BASE_URL", ollama_url))
        parallel = env.integer("OLLAMA_NUM_PARALLEL", 1, minimum=1)
        settings = cls(
            api_keys=env.words("API_KEY"),
            api_host=(env.text("API_HOST") or "127.0.0.1").strip("[]"),
            api_port=env.integer("API_PORT", 8002, minimum=1, maximum=65535),
            cors_origins=env.origins("CORS_ORIGINS"),
            max_body_bytes=int(env.number("MAX_BODY_MB", 40) * 1024 * 1024),
            engine=engine,
            engine_base_url=ollama_url if engine == "ollama" else engine_url,
            engine_api_key=env.text("ENGINE_API_KEY"),
            engine_label=env.text("ENGINE_LABEL"),
            embedded_model=env.text("EMBEDDED_MODEL"),
            allow_cloud_models=env.boolean("ALLOW_CLOUD_MODELS"),
            timeout_seconds=env.number("OLLAMA_TIMEOUT", 120),
            load_timeout_seconds=env.number("LOAD_TIMEOUT", 600),
            stream_idle_timeout_seconds=env.number("STREAM_IDLE_TIMEOUT", 60),
            keep_alive=env.keep_alive("OLLAMA_KEEP_ALIVE", "5m"),
            context_length=env.optional_integer("OLLAMA_CONTEXT_LENGTH", minimum=4),
            default_model=env.text("DEFAULT_MODEL") or "mistral",
            default_temperature=env.number("DEFAULT_TEMPERATURE", 0.7, minimum=0, maximum=2),
            max_tokens=env.integer("MAX_TOKENS", 4096, minimum=1),
            max_tokens_limit=env.optional_integer("MAX_TOKENS_LIMIT", minimum=1),
            max_concurrency=env.integer("MAX_CONCURRENCY", parallel, minimum=1),
            workers=env.integer("WEB_CONCURRENCY", 1, minimum=1),
            log_level=env.choice("LOG_LEVEL", "INFO", _LOG_LEVELS, upper=True),
            log_format=env.choice("LOG_FORMAT", "text", ("text", "json")),
        )
        settings._check(api_bind=env.text("API_BIND"), allow_no_key=env.boolean("ALLOW_NO_KEY"))
        return settings

    def _check(self, *, api_bind: str | None, allow_no_key: bool) -> None:
        """Refuse combinations that are each valid alone."""
        address = api_bind or self.api_host
        if not self.api_keys and not allow_no_key and not is_loopback(address):
            raise ConfigError(
                f"API_KEY must be set when the service listens on {address}: anybody who reaches "
                "it could use it. Set API_KEY, or ALLOW_NO_KEY=1 if that is meant."
            )
        if self.workers > self.max_concurrency:
            raise ConfigError(
                f"WEB_CONCURRENCY={self.workers} is more than MAX_CONCURRENCY="
                f"{self.max_concurrency}: a worker without a slot would never answer."
            )


def is_loopback(address: str) -> bool:
    """Tell whether only this machine can reach a listening address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


class _Reader:
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

    def boolean(self, name: str) -> bool:
        value = (self.text(name) or "0").lower()
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

    def url(self, name: str, default: str) -> str:
        value = self.text(name) or default
        if not _is_base_url(value):
            raise ConfigError(f"{name} must be an address such as {default}")
        return value.rstrip("/")

    def origins(self, name: str) -> frozenset[str]:
        """Browsers send them in lower case and compare letter by letter."""
        found = [origin.lower() for origin in self.words(name)]
        for origin in found:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"{name} must hold origins such as https://chat.example.org, not {origin!r}"
                )
        return frozenset(found)

    def keep_alive(self, name: str, default: str) -> KeepAlive:
        """A number goes up as a number: as a string without a unit Ollama refuses it."""
        value = self.text(name) or default
        if re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII):
            seconds = _bounded(name, value, -_LARGEST, _LARGEST)
            return seconds if "." in value else int(seconds)
        if not _GO_DURATION.fullmatch(value):
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


def _with_version(base_url: str) -> str:
    """Clients of OpenAI name the address with /v1, servers print it without: take both."""
    return base_url if urlsplit(base_url).path.strip("/") else f"{base_url}/v1"


def _bounded(name: str, value: str, minimum: float, maximum: float) -> float:
    number = float(value)
    if number < minimum:
        raise ConfigError(f"{name} must be at least {minimum}, not {value[:20]}")
    if number > maximum:
        raise ConfigError(f"{name} must be at most {maximum}, not {value[:20]}")
    return number
