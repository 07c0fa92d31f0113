"""The session to one engine, and the map from its failures to ours.

Requests are prepared by hand and go through `session.get_adapter(url).send(prepared)`:
`session.post` merges settings, cookies and redirects that an engine on a fixed address does not
need, for a quarter of the whole cost of a request.
"""

import time
from typing import NoReturn, Protocol

import orjson
import requests

from tensoria.backends.adapter import EngineAdapter
from tensoria.backends.base import Explained
from tensoria.backends.body import Body
from tensoria.backends.ending import apart
from tensoria.backends.failures import CAUGHT, to_backend_error
from tensoria.backends.limits import Clock, Limits
from tensoria.errors import BackendError, BackendTimeout, BackendUnavailable

CONNECT_TIMEOUT_SECONDS = 5.0
# Beyond the slots: lists of models, /ready and the like while all slots are taken.
SPARE_CONNECTIONS = 8
# Requests beyond the slots wait at the engine, each on a connection of its own; what the pool does
# not hold would be opened and thrown away each time.
LEAST_CONNECTIONS = 64
MAX_CONTROL_BODY_BYTES = 64 * 1024 * 1024


class AnyTransport(Protocol):
    """What a client of an engine needs of its transport."""

    def open(self, path: str, payload: object, limits: Limits, *, keep: bool = True) -> Body: ...

    def json(
        self, method: str, path: str, payload: object = None, *, seconds: float
    ) -> tuple[int, bytes]: ...


class Transport:
    """One engine's address, its headers and its pool; safe for all threads of a worker."""

    def __init__(
        self,
        base_url: str,
        *,
        concurrency: int,
        api_key: str | None = None,
        connect_seconds: float = CONNECT_TIMEOUT_SECONDS,
    ) -> None:
        self._session = requests.Session()
        # A proxy or a netrc of the environment is not meant for the engine.
        self._session.trust_env = False
        pool = max(concurrency + SPARE_CONNECTIONS, LEAST_CONNECTIONS)
        adapter = EngineAdapter(base_url, most_idle=pool)
        self._session.mount(base_url, adapter)
        self._adapter = self._session.get_adapter(base_url)
        self._base_url = base_url
        self._connect_seconds = connect_seconds
        self._headers = {
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": "tensoria",
        }
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def open(self, path: str, payload: object, limits: Limits, *, keep: bool = True) -> Body:
        """POST `payload` as JSON and return the open body once the head has come.

        `keep` says that the connection may be used again.

        The limits run from now on. Raises BackendUnavailable, BackendTimeout or BackendError.
        """
        clock = Clock(limits)
        return Body(self._send("POST", path, payload, clock).raw, clock, keep=keep)

    def json(
        self, method: str, path: str, payload: object = None, *, seconds: float
    ) -> tuple[int, bytes]:
        """Ask for a small document; returns the status and the whole body."""
        clock = Clock(Limits(seconds, seconds))
        try:
            with apart(), Body(self._send(method, path, payload, clock).raw, clock) as body:
                return body.status, body.read_all(MAX_CONTROL_BODY_BYTES)
        except BackendTimeout as error:
            message = f"The engine did not answer {path} within {seconds:g} seconds."
            raise BackendTimeout(message) from error

    def close(self) -> None:
        """Close every pooled connection."""
        self._session.close()

    def _send(self, method: str, path: str, payload: object, clock: Clock) -> requests.Response:
        prepared = requests.PreparedRequest()
        prepared.method = method
        prepared.url = self._base_url + path
        headers = self._headers
        if payload is not None:
            data = orjson.dumps(payload)
            prepared.body = data
            headers = {
                **headers,
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
            }
        # A plain dictionary: nobody looks a header up, and requests' own costs 5 us.
        prepared.headers = headers  # type: ignore[assignment]
        try:
            seconds = clock.until() - time.monotonic()
            return self._adapter.send(
                prepared, stream=True, timeout=(self._connect_seconds, seconds)
            )
        except requests.exceptions.ConnectTimeout as error:
            raise self._unconnected() from error
        except CAUGHT as error:
            raise clock.named(to_backend_error(error)) from error

    def _unconnected(self) -> BackendError:
        return BackendUnavailable(
            "The engine cannot be reached: it took no connection within "
            f"{self._connect_seconds:g} seconds (CONNECT_TIMEOUT)."
        )


class DryTransport:
    """A transport that asks for lists and details, and raises `Explained` for what would run."""

    def __init__(self, transport: AnyTransport) -> None:
        self._transport = transport

    def open(self, path: str, payload: object, limits: Limits, *, keep: bool = True) -> NoReturn:
        """Raise what would have been sent."""
        raise Explained(path, payload)

    def json(
        self, method: str, path: str, payload: object = None, *, seconds: float
    ) -> tuple[int, bytes]:
        """See `Transport.json`."""
        return self._transport.json(method, path, payload, seconds=seconds)
