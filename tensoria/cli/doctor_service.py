"""What the doctor looks at in the settings, and on the machine that it runs on."""

import re
import resource
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from tensoria.cli.findings import Finding, Said
from tensoria.config import Settings
from tensoria.server.limits import FILES

SHORTEST_KEY = 16
LEAST_FREE_BYTES = 2 * 1024**3
# Where an nginx on this machine has its settings; the last is the project's own.
NGINX = ("/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*", "/etc/nginx/sites-enabled/*", "nginx.conf")
# nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout
_NGINX_DEFAULT_SECONDS = 60.0
_READ_TIMEOUT = re.compile(r"^\s*proxy_read_timeout\s+(\d+)(ms|s|m|h|d)?\s*;", re.MULTILINE)
_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_NEW_KEY = (
    "echo \"API_KEY=$(python3 -c 'import secrets; print(secrets.token_urlsafe(48))')\" >> .env"
)


class ServiceChecks:
    """Each yields what is wrong, in words that name the setting and never its secret."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def key(self) -> Iterator[Said]:
        """A service without a key serves whoever reaches it."""
        settings = self._settings
        if not settings.api_keys and settings.api_keys_file is None:
            yield Finding("API_KEY is not set: whoever reaches the service may use it.", _NEW_KEY)
        for name, keys in (("API_KEY", settings.api_keys), ("METRICS_KEY", _one(settings))):
            shortest = min(map(len, keys), default=SHORTEST_KEY)
            if shortest < SHORTEST_KEY:
                yield Finding(
                    f"{name} has {shortest} characters, which can be guessed; "
                    f"{SHORTEST_KEY} are the least.",
                    _NEW_KEY.replace("API_KEY", name),
                )

    def workers(self) -> Iterator[Said]:
        """One worker is exact; several divide what there is."""
        settings = self._settings
        if settings.workers == 1:
            return
        each = settings.max_concurrency // settings.workers
        left = settings.max_concurrency - each * settings.workers
        unused = f", and {left} of MAX_CONCURRENCY stay unused" if left else ""
        yield Finding(
            f"WEB_CONCURRENCY={settings.workers} divides places and limits of keys among workers "
            f"that know nothing of each other: each runs {each} at a time{unused}.",
            "WEB_CONCURRENCY=1 in .env (one worker holds thousands of streams)",
        )

    def timeouts(self) -> Iterator[Said]:
        """Each outer limit has to be longer than what is inside of it."""
        settings = self._settings
        if settings.timeout_seconds >= settings.total_timeout_seconds:
            yield Finding(
                f"OLLAMA_TIMEOUT={settings.timeout_seconds:g}, the time for a first token, is not "
                f"below TOTAL_TIMEOUT={settings.total_timeout_seconds:g}.",
                f"TOTAL_TIMEOUT={settings.timeout_seconds * 10:g} in .env",
            )
        longest = (
            settings.queue_timeout_seconds
            + settings.load_timeout_seconds
            + settings.total_timeout_seconds
        )
        for path, seconds in _read_timeouts(settings.api_port):
            if seconds <= longest:
                yield Finding(
                    f"{path} ends an answer after {seconds:g} seconds of silence "
                    f"(proxy_read_timeout), and the service may take {longest:g} for one that is "
                    "not streamed (QUEUE_TIMEOUT + LOAD_TIMEOUT + TOTAL_TIMEOUT).",
                    f"proxy_read_timeout {longest + 60:.0f}s;  in {path}, then: nginx -s reload",
                )

    def disk(self) -> Iterator[Said]:
        """Usage, logs and models have to be written somewhere."""
        folder = self._settings.data_dir.absolute()
        folder = next(each for each in (folder, *folder.parents) if each.is_dir())
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            yield Finding(
                f"{folder} (DATA_DIR) has {free / 1024**3:.1f} GB left, and "
                f"{LEAST_FREE_BYTES / 1024**3:.0f} are the least.",
                "ollama list; ollama rm MODEL  (under Docker also: docker system prune)",
            )

    def files(self) -> Iterator[Said]:
        """A stream holds two files. The limit is this shell's, which the service may share."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY and hard < FILES:
            yield Finding(
                f"A process may open {hard} files here, and each stream holds two; the service "
                f"would take {FILES}.",
                "LimitNOFILE=65536 in its systemd unit (ulimits: {nofile: 65536} in compose)",
            )


def _one(settings: Settings) -> tuple[str, ...]:
    return (settings.metrics_key,) if settings.metrics_key else ()


def _read_timeouts(port: int) -> Iterator[tuple[Path, float]]:
    """Yield the shortest limit of each readable file of nginx's that passes on to our port."""
    for path, text in _nginx_files():
        if "proxy_pass" not in text or not ("tensoria" in text or f":{port}" in text):
            continue
        found = [float(number) * _SECONDS[unit] for number, unit in _READ_TIMEOUT.findall(text)]
        yield path, min(found, default=_NGINX_DEFAULT_SECONDS)


def _nginx_files() -> Iterable[tuple[Path, str]]:
    for pattern in NGINX:
        base = Path(pattern)
        for path in sorted(base.parent.glob(base.name)):
            try:
                yield path, path.read_text(errors="replace")
            except OSError:
                continue
