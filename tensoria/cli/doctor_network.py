"""What the doctor looks at between the service, its engine, and the clients of its public URL."""

import ipaddress
import struct
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests

from tensoria.cli.findings import Asked, Finding, Said, Unknown
from tensoria.config import is_loopback

TIMEOUT_SECONDS = (5, 120)
MOST_SECONDS_APART = 10
# The engine has to take so long from the first token to the last that a burst can be told apart.
LEAST_STREAM_SECONDS = 0.2
PROC = Path("/proc/net")
# <linux/net/tcp_states.h>
_LISTENING = "0A"
_COUNT = "Count from 1 to 60 in words, separated by commas."


class NetworkChecks:
    """Asks as a client does: without proxies, `.netrc` or redirects."""

    def __init__(self, asked: Asked) -> None:
        self._settings = asked.settings
        self._url = asked.url

    def exposed(self) -> Iterator[Said]:
        """Ollama has no key: whoever reaches its port may use, pull and delete models."""
        if self._settings.engine != "ollama":
            return
        parts = urlsplit(self._settings.engine_base_url)
        if not is_loopback(parts.hostname or ""):
            yield Unknown("Ollama is not reached by loopback: look at its own machine.")
            return
        port = parts.port or 80
        try:
            open_to = [each for each in _listening(port) if not each.is_loopback]
        except OSError:
            yield Unknown("This system has no /proc/net/tcp.")
            return
        if open_to:
            yield Finding(
                f"Ollama listens on {open_to[0]} port {port}: who reaches this machine may use it "
                "without a key.",
                f"OLLAMA_HOST=127.0.0.1:{port} in Ollama's environment: systemctl edit ollama  "
                f"(Docker: publish it as 127.0.0.1:{port}:11434)",
            )

    def clock(self) -> Iterator[Said]:
        """Certificates, expiring keys and logs need the right time."""
        for url in filter(None, (self._url, self._settings.engine_base_url)):
            try:
                with _ask("GET", f"{url}/health" if url == self._url else url) as response:
                    told = parsedate_to_datetime(response.headers.get("Date", ""))
                apart = abs(told.timestamp() - time.time())
            except (requests.RequestException, ValueError):
                yield Unknown(f"{url} tells no time.")
                continue
            if apart > MOST_SECONDS_APART:
                yield Finding(
                    f"The clocks of this machine and of {url} are {apart:.0f} seconds apart.",
                    "timedatectl set-ntp true  (on both)",
                )

    def buffering(self) -> Iterator[Said]:
        """What stands between must pass each chunk on as it comes."""
        if self._url is None:
            yield Unknown("Give --url, the address that clients use.")
            return
        try:
            with self._stream() as response:
                if response.status_code != 200:
                    yield _refused(self._url, response)
                    return
                arrivals, told_ms = _read(response)
        except requests.RequestException as error:
            yield Finding(
                f"{self._url} does not answer ({type(error).__name__}).",
                f"curl -v {self._url}/health  (DNS, firewall, certificate, nginx)",
            )
            return
        yield from _judged(self._url, arrivals, told_ms / 1000)

    def _stream(self) -> requests.Response:
        key = next(iter(self._settings.api_keys), None)
        body = {
            "model": self._settings.default_model,
            "messages": [{"role": "user", "content": _COUNT}],
            "stream": True,
            "max_tokens": 60,
        }
        headers = {"X-Tensoria-Verbose": "1"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return _ask("POST", f"{self._url}/v1/chat/completions", json=body, headers=headers)


def _refused(url: str, response: requests.Response) -> Said:
    if response.status_code == 401:
        return Unknown(f"{url} wants another key than this API_KEY: API_KEY=… tensoria doctor")
    return Finding(
        f"{url} answers a chat with {response.status_code}.",
        f"curl -i {url}/ready  (/health too; then the logs of what stands between)",
    )


def _read(response: requests.Response) -> tuple[list[float], float]:
    """Return when the chunks came, and in how many milliseconds they left by the service's word."""
    arrivals, told_ms = [], 0.0
    for line in response.iter_lines(chunk_size=1):
        if not line.startswith(b"data: {"):
            continue
        arrivals.append(time.monotonic())
        told_ms = _told_ms(line[6:]) or told_ms
    return arrivals, told_ms


def _told_ms(chunk: bytes) -> float:
    """Return what the last chunk of a Tensoria tells, which X-Tensoria-Verbose asked for; else 0.

    What answers may be anything.
    """
    try:
        timings = orjson.loads(chunk)["tensoria"]["timings"]
        return float(timings["total_ms"] - timings["first_token_ms"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return 0.0


def _judged(url: str, arrivals: list[float], told_seconds: float) -> Iterator[Said]:
    took = arrivals[-1] - arrivals[0] if arrivals else 0.0
    if told_seconds < LEAST_STREAM_SECONDS:
        yield Unknown("The answer was too short to tell, or what answers is no Tensoria.")
    elif took < told_seconds / 2:
        yield Finding(
            f"The chunks of a stream left within {told_seconds:.1f} seconds and came through {url} "
            f"within {took:.1f}: something between holds them back.",
            "proxy_buffering off;  in nginx's location (nginx.conf of this project has it)",
        )


def _ask(method: str, url: str, **options: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True, **options
        )


def _listening(port: int) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Yield the addresses on which this machine listens on a port, whoever does; raises OSError."""
    for name in ("tcp", "tcp6"):
        path = PROC / name
        if name == "tcp6" and not path.exists():
            return
        for line in path.read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == _LISTENING and int(number, 16) == port:
                yield _address(address)


def _address(digits: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read the kernel's form: words of four bytes, each in the machine's own order."""
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    address = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    return getattr(address, "ipv4_mapped", None) or address
