"""What the views need, built once by `create_app` and kept in `app.extensions`."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from flask import Flask, Request, current_app, g, request
from werkzeug.local import LocalProxy

from tensoria.admission.accounts import Accounts
from tensoria.admission.callers import Callers
from tensoria.admission.key import Key
from tensoria.admission.keys import Keys
from tensoria.admission.tickets import Admission
from tensoria.backends.allowed import AllowedModels
from tensoria.backends.base import Backend
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.memory.runs import Runs
from tensoria.memory.store import Memory
from tensoria.metrics.base import Metrics


@dataclass(frozen=True, slots=True)
class Services:
    """One of each for a worker."""

    settings: Settings
    keys: Keys
    callers: Callers
    admission: Admission
    accounts: Accounts
    backend: Backend
    metrics: Metrics
    memory: Memory
    runs: Runs


class Lent(Protocol):
    """Some work beside a request; see `Client.lend`."""

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the work, at most so long; tell whether it is done.

        Raises RequestEnded when it was ended before it began.
        """
        ...

    def end(self, error: TensoriaError) -> None:
        """Throw RequestEnded into the work, if that can be; nobody waits for it any more."""
        ...


class Client(Protocol):
    """Who waits for the answer; the server puts one into `environ["tensoria.client"]`."""

    def gone(self) -> bool:
        """Tell, without waiting, whether the connection was closed from the other side."""
        ...

    def watch(self) -> None:
        """From now on, throw RequestEnded into the request when the connection is closed."""
        ...

    def keep_watching(self) -> None:
        """Go on throwing RequestEnded into the request after its view has returned."""
        ...

    def stop_watching(self) -> None:
        """Throw nothing from now on: the request is being cleaned up."""
        ...

    def unread(self) -> bool:
        """Tell whether something of the answer has not left, and may never."""
        ...

    def heartbeat(self, seconds: float, comment: bytes) -> None:
        """From now on, write a comment between events whenever nothing was written for so long."""
        ...

    def pump(self, source: int, step: Callable[[], bytes | None]) -> None:
        """Write what `step` returns each time that a descriptor can be read, until it returns None.

        Returns then, or at once where the server cannot do that. Raises what `step` raises, and
        RequestEnded when the request ends. `step` never waits.
        """
        ...

    def lend(self, work: Callable[[], None]) -> Lent:
        """Begin some work beside the request; until it is done, throw RequestEnded into it instead.

        The work raises nothing.
        """
        ...

    def detach(self, work: Callable[["Client"], None]) -> Lent:
        """Begin some work that goes on without the request, with a client of its own.

        `Lent.end`, or the end of the service, throws RequestEnded into it, or has its client gone.
        The work raises nothing.
        """
        ...


class UnwatchedClient:
    """The client under a server that cannot tell: never gone, and nothing is thrown or added."""

    def gone(self) -> bool:
        return False

    def watch(self) -> None:
        """Nothing can be watched."""

    def keep_watching(self) -> None:
        """Nothing was watched."""

    def stop_watching(self) -> None:
        """Nothing was watched."""

    def unread(self) -> bool:
        return False

    def heartbeat(self, seconds: float, comment: bytes) -> None:
        """Whoever waits here waits in silence."""

    def pump(self, source: int, step: Callable[[], bytes | None]) -> None:
        """What comes is asked for by `next`, which waits."""

    def lend(self, work: Callable[[], None]) -> Lent:
        return _InThread(work)

    def detach(self, work: Callable[[Client], None]) -> Lent:
        return _Detached(work)


class _InThread:
    """Work in a thread, which nothing can be thrown into."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work, name="opening", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def end(self, error: TensoriaError) -> None:
        """It comes to its own end."""


class _Detached(UnwatchedClient):
    """Work in a thread that goes on alone; it has to ask whether it was ended."""

    def __init__(self, work: Callable[[Client], None]) -> None:
        self._ended = False
        self._work = _InThread(lambda: work(self))

    def gone(self) -> bool:
        return self._ended

    def wait(self, seconds: float | None = None) -> bool:
        return self._work.wait(seconds)

    def end(self, error: TensoriaError) -> None:
        """It looks for it between two receives of the engine."""
        self._ended = True


_UNWATCHED = UnwatchedClient()


# Flask's proxies look their object up for each attribute. These return it:
# flask.palletsprojects.com/en/stable/reqcontext/#notes-on-proxies.
this_request: Callable[[], Request] = cast("LocalProxy[Request]", request)._get_current_object
_this_app: Callable[[], Flask] = cast("LocalProxy[Flask]", current_app)._get_current_object
this_g: Callable[[], Any] = cast("LocalProxy[Any]", g)._get_current_object


def services() -> Services:
    """Return the current app's services."""
    return cast("Services", _this_app().extensions["tensoria"])


def key() -> Key | None:
    """Return what is known of the request's key, None where none is needed."""
    found: Key | None = this_g().key
    return found


def backend() -> Backend:
    """Return the engine with the models that the request's key may use."""
    used = key()
    if used is None or used.models is None:
        return services().backend
    return AllowedModels(services().backend, used.models)


def is_on(header: str, default: bool = False) -> bool:
    """Tell whether a request's header asks for something; "0" asks not to, and "" says nothing.

    `header` is its name in environ: a look-up through werkzeug's headers costs five times as much,
    and each request has several.
    """
    asked = this_request().environ.get(header, "").strip()
    return asked != "0" if asked else default


def strict() -> bool:
    """Tell whether an ignored field that changes the answer is an error, for this request."""
    return is_on("HTTP_X_TENSORIA_STRICT", services().settings.strict)


def explains() -> bool:
    """Tell whether this request only asks what would be sent to the engine."""
    return is_on("HTTP_X_TENSORIA_EXPLAIN")


def engine() -> Backend:
    """Return the engine for the current request: the real one, or one that runs nothing."""
    return backend().dry() if explains() else backend()


def client() -> Client:
    """Return the current request's client."""
    return cast("Client", this_request().environ.get("tensoria.client", _UNWATCHED))
