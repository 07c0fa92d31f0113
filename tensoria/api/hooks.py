"""Around every request: its id, its key, its headers and its log line."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from flask import Flask, Response, g, request

from tensoria.api.cors import Cors
from tensoria.api.dialect import speaks_anthropic
from tensoria.api.ids import new_id
from tensoria.api.record import Record, record
from tensoria.api.services import client, services, this_request
from tensoria.logs import request_id
from tensoria.metrics.base import OTHER

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# A request with one of these came through a proxy, and its address is the proxy's.
_FORWARDED = ("X-Forwarded-For", "X-Real-IP", "Forwarded")

# In metrics, for the keys of API_KEY; no key of a file can have brackets in its name.
OWN_KEY = "(API_KEY)"


def install(app: Flask, cors: Cors) -> None:
    """Put the hooks on an app; `before_request` runs for unknown paths too."""

    def begin() -> Response | None:
        identify()
        preflight = cors.preflight()
        if preflight is None:
            check_key()
        return preflight

    def end(response: Response) -> Response:
        current = record()
        current.status = response.status_code
        response.headers["X-Request-ID"] = str(current.fields["request_id"])
        if speaks_anthropic():
            # Its SDKs show this one.
            response.headers["request-id"] = str(current.fields["request_id"])
        if current.queue is not None:
            response.headers["X-Queue-Position"] = str(current.queue.position)
            if current.queue.waited_ms is not None:
                response.headers["X-Queue-Wait-Ms"] = str(round(current.queue.waited_ms))
        cors.mark(response)
        if current.account is not None and not current.streams:
            # Counting what was used is cleaning up: nothing may be thrown into it.
            client().stop_watching()
        if not current.streams:
            current.write()
        if current.account is not None:
            response.headers.update(current.account.headers())
        return response

    app.before_request(begin)
    app.after_request(end)


def identify() -> None:
    """Take the client's X-Request-ID if it is harmless in a log line, else make one."""
    asked = this_request()
    named = asked.environ.get("HTTP_X_REQUEST_ID", "")
    current = named if _REQUEST_ID.fullmatch(named) else new_id("req_")
    request_id.set(current)
    known = services()
    if not known.memory.started:
        # Only a request knows what may wait for a disk without holding up the others.
        known.memory.start(asked.environ.get("tensoria.storing"))
    g.record = Record(
        asked.method,
        asked.path,
        current,
        asked.remote_addr,
        endpoint=asked.url_rule.rule if asked.url_rule else OTHER,
        metrics=known.metrics,
    )


def check_key() -> None:
    """Fail closed: every path but these needs the key, paths that do not exist included."""
    path = request.path
    if path == "/health" or (path == "/ready" and _is_local()):
        g.key = None
        return
    if path == "/metrics":
        g.key = None
        services().keys.check_metrics(_offered())
        return
    key = g.key = services().keys.check(_offered())
    if key is not None and key.listed:
        g.record.fields["key"] = key.name
    if key is not None:
        # Others are named by their hash, by which a guess at a weak key could be tried.
        g.record.key = key.name if key.listed else OWN_KEY


def _offered() -> Iterator[bytes]:
    """Yield the keys that the request carries; an empty second header is common, and no key."""
    environ = request.environ
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    # Blanks and tabs alone: as latin-1, the last byte of a UTF-8 key may look like a space ("à").
    token = token.strip(" \t")
    if scheme.lower() == "bearer" and token:
        yield token.encode("latin-1")
    key = environ.get("HTTP_X_API_KEY", "").strip(" \t")
    if key:
        yield key.encode("latin-1")


def _is_local() -> bool:
    """Tell whether the request was made on this machine, not only passed on by a proxy here."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    # On a socket for both families an IPv4 client has an IPv6 address (::ffff:127.0.0.1).
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
