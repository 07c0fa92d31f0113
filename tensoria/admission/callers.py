"""Who a request is counted for: a key, or an address where there is no key."""

import ipaddress
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Protocol

from tensoria.variables import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# A house, or a rented machine, has a network of this length to itself (RFC 6177): by single
# addresses one caller would be as many as it likes.
_IPV6_PREFIX = 64
# More proxies in a row are nobody's; a client may write as many as it likes.
_MOST_HOPS = 16
# An end user's name is made up by a client.
LONGEST_NAME = 128
_END_USER_HEADER = "X-OpenWebUI-User-Id"
END_USER_FIELDS = ("safety_identifier", "user")


class Headers(Protocol):
    """A request's headers."""

    def get(self, name: str, /) -> str | None: ...


class Callers:
    """Names callers; `trusted` are the proxies whose X-Forwarded-For is believed."""

    def __init__(self, trusted: Collection[Network]) -> None:
        self._trusted = tuple(trusted)

    def name(
        self,
        key: str | None,
        address: str | None,
        forwarded: str = "",
        *,
        end_user: str | None = None,
    ) -> str:
        """Return the caller of a request.

        `key` is what `Keys.check` returned, `address` the connection's, `forwarded` its
        X-Forwarded-For. `end_user` is for a key that stands for many people (see `end_user`).
        """
        caller = key or self._by_address(address or "", forwarded)
        return f"{caller} {end_user[:LONGEST_NAME]}" if end_user else caller

    def _by_address(self, address: str, forwarded: str) -> str:
        if not self._trusted or not forwarded:
            return _shown(address)
        # Each proxy adds at the end the address that it was called from, so that what a client
        # wrote itself stands to the left of the first one that no proxy of ours vouches for.
        hops = forwarded.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]
        for hop in reversed(hops):
            if not self._trusts(address):
                break
            named = _parsed(hop)
            if named is None:
                break
            address = str(named)
        return _shown(address)

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def end_user(headers: Headers, body: Mapping[str, object]) -> str | None:
    """Return the end user whom a front end names, for a key that is marked `end_users`."""
    named = [headers.get(_END_USER_HEADER), *(body.get(field) for field in END_USER_FIELDS)]
    return next((name for name in named if isinstance(name, str) and name), None)


@lru_cache(maxsize=1024)
def _shown(address: str) -> str:
    parsed = _parsed(address)
    if parsed is None:
        # A connection by a Unix socket has no address.
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    """Read an address, as it stands in X-Forwarded-For too: with a port, in brackets."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # On a socket for both families an IPv4 client has an IPv6 address (::ffff:192.0.2.1).
    return getattr(address, "ipv4_mapped", None) or address
