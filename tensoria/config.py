"""Settings: read once from the environment, checked, and then never changed.

`Settings.from_env` is called in `wsgi.py`, `gunicorn.conf.py` and `cli/`, and nothing else reads
the environment. A bad value stops the start and names its variable.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tensoria.variables import ConfigError, KeepAlive, Network, Reader, environment

__all__ = ["ConfigError", "KeepAlive", "Settings", "environment", "is_loopback"]

# ENGINE_LABEL as `tensoria up` sets it for the engine that it starts.
EMBEDDED_LABEL = "tensoria-embedded (llama.cpp)"
# OpenAI's words, from the least to the most.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the service was told. Times are in seconds, sizes in bytes, lengths in tokens."""

    api_keys: tuple[str, ...] = field(repr=False)
    api_keys_file: Path | None
    metrics_key: str | None = field(repr=False)
    data_dir: Path
    api_host: str
    api_port: int
    cors_origins: frozenset[str]
    max_body_bytes: int
    engine: str
    engine_base_url: str
    engine_api_key: str | None = field(repr=False)
    engine_label: str | None
    embeddings_base_url: str | None
    embedded_model: str | None
    embedded_embeddings: bool
    allow_cloud_models: bool
    connect_timeout_seconds: float
    timeout_seconds: float
    load_timeout_seconds: float
    stream_idle_timeout_seconds: float
    total_timeout_seconds: float
    stream_heartbeat_seconds: float
    shutdown_grace_seconds: float
    keep_alive: KeepAlive
    context_length: int | None
    default_model: str
    default_temperature: float
    max_tokens: int
    max_tokens_limit: int | None
    max_choices: int
    max_concurrency: int
    max_queue: int
    queue_timeout_seconds: float
    trusted_proxies: tuple[Network, ...]
    model_aliases: Mapping[str, str]
    default_reasoning_effort: str | None
    context_overflow: str
    strict: bool
    structured_retry: bool
    tool_rescue: bool
    store: bool
    store_days: float
    store_max_bytes: int
    workers: int
    log_level: str
    log_format: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check every setting, or raise ConfigError naming the variable at fault."""
        env = Reader(environ)
        engine = env.choice("ENGINE", "ollama", ("ollama", "openai"))
        ollama_port = env.integer("OLLAMA_PORT", 11434, minimum=1, maximum=65535)
        ollama_url = env.url("OLLAMA_BASE_URL", f"http://127.0.0.1:{ollama_port}")
        if engine == "openai" and not env.text("ENGINE_BASE_URL"):
            raise ConfigError("ENGINE_BASE_URL must be set when ENGINE=openai")
        engine_url = _with_version(env.url("ENGINE_BASE_URL", ollama_url))
        embeddings_url = env.optional_url("EMBEDDINGS_BASE_URL", "http://127.0.0.1:8081/v1")
        parallel = env.integer("OLLAMA_NUM_PARALLEL", 1, minimum=1)
        settings = cls(
            api_keys=env.words("API_KEY"),
            api_keys_file=env.optional_path("API_KEYS_FILE"),
            metrics_key=env.text("METRICS_KEY"),
            data_dir=env.path("DATA_DIR", "data"),
            api_host=(env.text("API_HOST") or "127.0.0.1").strip("[]"),
            api_port=env.integer("API_PORT", 8002, minimum=1, maximum=65535),
            cors_origins=env.origins("CORS_ORIGINS"),
            max_body_bytes=int(env.number("MAX_BODY_MB", 40) * 1024 * 1024),
            engine=engine,
            engine_base_url=ollama_url if engine == "ollama" else engine_url,
            engine_api_key=env.text("ENGINE_API_KEY"),
            engine_label=env.text("ENGINE_LABEL"),
            embeddings_base_url=embeddings_url and _with_version(embeddings_url),
            embedded_model=env.text("EMBEDDED_MODEL"),
            embedded_embeddings=env.boolean("EMBEDDED_EMBEDDINGS"),
            allow_cloud_models=env.boolean("ALLOW_CLOUD_MODELS"),
            connect_timeout_seconds=env.number("CONNECT_TIMEOUT", 5),
            timeout_seconds=env.number("OLLAMA_TIMEOUT", 120),
            load_timeout_seconds=env.number("LOAD_TIMEOUT", 600),
            stream_idle_timeout_seconds=env.number("STREAM_IDLE_TIMEOUT", 60),
            total_timeout_seconds=env.number("TOTAL_TIMEOUT", 3600),
            stream_heartbeat_seconds=env.number("STREAM_HEARTBEAT_SECONDS", 25, minimum=0),
            shutdown_grace_seconds=env.number("SHUTDOWN_GRACE_SECONDS", 60, minimum=0),
            keep_alive=env.keep_alive("OLLAMA_KEEP_ALIVE", "5m"),
            context_length=env.optional_integer("OLLAMA_CONTEXT_LENGTH", minimum=4),
            default_model=env.text("DEFAULT_MODEL") or "mistral",
            default_temperature=env.number("DEFAULT_TEMPERATURE", 0.7, minimum=0, maximum=2),
            max_tokens=env.integer("MAX_TOKENS", 4096, minimum=1),
            max_tokens_limit=env.optional_integer("MAX_TOKENS_LIMIT", minimum=1),
            max_choices=env.integer("MAX_CHOICES", 4, minimum=1, maximum=128),
            max_concurrency=env.integer("MAX_CONCURRENCY", parallel, minimum=1),
            max_queue=env.integer("MAX_QUEUE", 64, minimum=0),
            queue_timeout_seconds=env.number("QUEUE_TIMEOUT", 120),
            trusted_proxies=env.networks("TRUSTED_PROXIES"),
            model_aliases=env.pairs("MODEL_ALIASES"),
            default_reasoning_effort=env.optional_choice("DEFAULT_REASONING_EFFORT", EFFORTS),
            context_overflow=env.choice("CONTEXT_OVERFLOW", "error", ("error", "truncate")),
            strict=env.boolean("STRICT"),
            structured_retry=env.boolean("STRUCTURED_RETRY"),
            tool_rescue=env.boolean("TOOL_RESCUE", default="1"),
            store=env.boolean("STORE", default="1"),
            store_days=env.number("STORE_DAYS", 30),
            store_max_bytes=int(env.number("STORE_MAX_MB", 1024) * 1024 * 1024),
            workers=env.integer("WEB_CONCURRENCY", 1, minimum=1),
            log_level=env.choice("LOG_LEVEL", "INFO", _LOG_LEVELS, upper=True),
            log_format=env.choice("LOG_FORMAT", "text", ("text", "json")),
        )
        settings._check(api_bind=env.text("API_BIND"), allow_no_key=env.boolean("ALLOW_NO_KEY"))
        return settings

    def _check(self, *, api_bind: str | None, allow_no_key: bool) -> None:
        """Refuse combinations that are each valid alone."""
        address = api_bind or self.api_host
        keyed = self.api_keys or self.api_keys_file
        if not keyed and not allow_no_key and not is_loopback(address):
            raise ConfigError(
                f"API_KEY must be set when the service listens on {address}: anybody who reaches "
                "it could use it. Set API_KEY, or ALLOW_NO_KEY=1 if that is meant."
            )
        if self.metrics_key in self.api_keys:
            raise ConfigError("METRICS_KEY must not be one of API_KEY: it would admit to all.")
        if self.embeddings_base_url and self.engine == "ollama":
            raise ConfigError(
                "EMBEDDINGS_BASE_URL is for ENGINE=openai; an Ollama serves embeddings itself."
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


def _with_version(base_url: str) -> str:
    """Clients of OpenAI name the address with /v1, servers print it without: take both."""
    return base_url if urlsplit(base_url).path.strip("/") else f"{base_url}/v1"
