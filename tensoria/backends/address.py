"""Where an engine is, and how to open a connection to it."""

import ipaddress
import socket
import ssl
import time
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

# Under gevent a name is looked up in a thread of the system, and waits there for Python's lock:
# milliseconds before each new stream. A container that is made anew has another address.
RESOLVE_SECONDS = 30.0

_PORTS = {"http": 80, "https": 443}


class Unreached(requests.ConnectionError):
    """No connection was to be had; nothing was sent."""


class Address:
    """The address of one engine, as its base URL has it."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        # What a URL has before its path.
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.hostname or ""
        self._scheme = parts.scheme
        self._port = parts.port or _PORTS[parts.scheme]
        self._found: list[Any] = []
        self._found_at = 0.0

    @cached_property
    def host_header(self) -> str:
        """Return what stands in the header Host; raises Unreached for a name that cannot be one."""
        try:
            host = self._host if ":" in self._host else self._host.encode("idna").decode()
        except UnicodeError as error:
            raise Unreached from error
        host = f"[{host}]" if ":" in host else host
        return host if self._port == _PORTS[self._scheme] else f"{host}:{self._port}"

    def connect(self, seconds: float) -> socket.socket:
        """Open a connection that waits without a limit of its own.

        Raises requests.ConnectTimeout, or Unreached for anything else that is in the way.
        """
        try:
            sock = self._connect(time.monotonic() + seconds)
        except TimeoutError as error:
            self._found = []
            raise requests.ConnectTimeout from error
        except (OSError, UnicodeError) as error:
            self._found = []
            raise Unreached from error
        sock.settimeout(None)
        return sock

    def _connect(self, by: float) -> socket.socket:
        """Try one address after the other, each with its share of the time."""
        failed: OSError = OSError("the name has no address")
        found = self._addresses()
        for index, each in enumerate(found):
            now = time.monotonic()
            try:
                return self._connect_to(each, by, now + (by - now) / (len(found) - index))
            except OSError as error:
                failed = error
        raise failed

    def _connect_to(self, found: Any, by: float, connected_by: float) -> socket.socket:
        family, kind, protocol, _, address = found
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.001, connected_by - time.monotonic()))
            if not _connect_at_once(sock, address):
                sock.connect(address)
            # A request leaves in one piece, and must not wait for the acknowledgement of another.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(max(0.001, by - time.monotonic()))
            return self._secured(sock)
        except BaseException:
            sock.close()
            raise

    def _addresses(self) -> list[Any]:
        now = time.monotonic()
        if not self._found or (now - self._found_at > RESOLVE_SECONDS and not self._is_number):
            self._found = self._look_up()
            self._found_at = now
        return self._found

    def _look_up(self) -> list[Any]:
        if self._is_number:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            return [(family, socket.SOCK_STREAM, 0, "", (self._host, self._port))]
        return socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)

    @cached_property
    def _is_number(self) -> bool:
        try:
            # With a zone (fe80::1%eth0) it is for the system to read.
            return "%" not in self._host and bool(ipaddress.ip_address(self._host))
        except ValueError:
            return False

    def _secured(self, sock: socket.socket) -> socket.socket:
        if self._scheme == "http":
            return sock
        return self._context.wrap_socket(sock, server_hostname=self._host)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """The system's authorities, and those that come with requests."""
        context = ssl.create_default_context()
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        context.set_alpn_protocols(["http/1.1"])
        return context


def _connect_at_once(sock: Any, address: Any) -> bool:
    """Try to connect a socket of gevent's without waiting.

    To this machine that is done at once. gevent waits for it, and comes back when the loop has been
    round: behind the chunks of all streams.
    """
    below = getattr(sock, "_sock", None)
    return below is not None and bool(
        # The first begins it, and the second tells what has become of it.
        below.connect_ex(address) == 0 or below.connect_ex(address) == 0
    )
