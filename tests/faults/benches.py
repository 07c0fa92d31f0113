"""A gateway and an engine that has a fault: asked once with it, and once when it has gone."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient
from gevent.monkey import is_module_patched

from tests.expectations.checks import gateway
from tests.fake_ollama import FakeOllama, close
from tests.faults.asking import ask
from tests.faults.dialects import DIALECTS, ENDPOINTS
from tests.faults.faults import SCRIPTED, SLOW
from tests.faults.models import offer_models
from tests.faults.outcomes import Outcome, Seen
from tests.faults.process import EngineToKill
from tests.faults.pumping import Pumping

# Each is waited for in full by the cells of a fault that is told by time.
HASTY = {"OLLAMA_TIMEOUT": "0.4", "STREAM_IDLE_TIMEOUT": "0.4"}
# Of two gateways: one for answers, and one for what is asked while an answer is open.
POOLED = 4
Found = tuple[Outcome, Seen | None, Outcome]


def well(engine: str, port: int = 0) -> FakeOllama:
    """Return an engine without a fault."""
    fake = FakeOllama(port=port)
    offer_models(fake, engine)
    for endpoint in ENDPOINTS:
        mend(fake, engine, endpoint)
    return fake


def mend(fake: FakeOllama, engine: str, endpoint: str) -> None:
    """Take an engine's fault away."""
    d = DIALECTS[engine, endpoint]
    fake.script(d.path, d.hello())


def service(engine: str, url: str, **variables: str) -> FlaskClient:
    """Return a client of a gateway in front of an engine of this kind."""
    if engine == "openai":
        variables |= {"ENGINE": "openai", "ENGINE_BASE_URL": url}
    client = gateway(_Address(url), **variables)  # type: ignore[arg-type]
    if is_module_patched("socket"):
        app = client.application
        app.wsgi_app = Pumping(app.wsgi_app)  # type: ignore[method-assign]
    return client


class _Address:
    """All that `gateway` wants to know of a fake."""

    def __init__(self, url: str) -> None:
        self.url = url


class Bench:
    """One engine and one gateway of either patience, shared by the cells of scripted faults."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self.fake = well(engine)
        self._patient = service(engine, self.fake.url)
        self._hasty = service(engine, self.fake.url, **HASTY)

    def find(self, fault: str, endpoint: str, form: str) -> Found:
        """Ask with the fault and without it; on a connection that was used before."""
        client = self._hasty if fault in SLOW else self._patient
        d = DIALECTS[self._engine, endpoint]
        ask(client, "embeddings", "whole")
        before = len(self.fake.received(d.path))
        self.fake.script(d.path, SCRIPTED[fault](self._engine, d))
        outcome = ask(client, endpoint, form)
        self.fake.wait_until_idle()
        seen = self._seen(d.path, before)
        mend(self.fake, self._engine, endpoint)
        after = ask(client, endpoint, form)
        self.fake.wait_for_connections(at_most=POOLED)
        return outcome, seen, after

    def find_late(self, endpoint: str, form: str) -> Found:
        """Ask on a pooled connection that ends when the request has been sent."""
        d = DIALECTS[self._engine, endpoint]
        ask(self._patient, "embeddings", "whole")
        before = len(self.fake.received(d.path))
        self.fake.script(d.path, close, d.hello())
        outcome = ask(self._patient, endpoint, form)
        seen = self._seen(d.path, before)
        return outcome, seen, ask(self._patient, endpoint, form)

    def _seen(self, path: str, before: int) -> Seen:
        requests = self.fake.received(path)[before:]
        return Seen(len(requests), any(r.disconnected.is_set() for r in requests))


def find_unreached(
    fault: str, engine: str, endpoint: str, form: str, patch: pytest.MonkeyPatch
) -> Found:
    """Ask an engine whose address or name leads nowhere, and once more when it is there."""
    with well(engine) as fake:
        port = fake.port
    name = "engine.invalid" if fault == "DNS failure" else "127.0.0.1"
    client = service(engine, f"http://{name}:{port}")
    outcome = ask(client, endpoint, form)
    with well(engine, port) as fake, patch.context() as patched:
        _resolve(name, patched)
        after = ask(client, endpoint, form)
        return outcome, Seen(0), after


def _resolve(name: str, patch: pytest.MonkeyPatch) -> None:
    """Let a name be known: the one thing of a network that a test cannot bring about."""
    known = socket.getaddrinfo

    def getaddrinfo(host: str, *args: object, **options: object) -> object:
        return known("127.0.0.1" if host == name else host, *args, **options)  # type: ignore[arg-type]

    patch.setattr(socket, "getaddrinfo", getaddrinfo)


def find_killed(when: str, engine: str, endpoint: str, form: str) -> Found:
    """Ask an engine that is killed, and then another one on the same port."""
    with EngineToKill(engine, when) as killed:
        client = service(engine, killed.url)
        outcome = ask(client, endpoint, form)
        killed.join()
        with well(engine, killed.port):
            return outcome, None, ask(client, endpoint, form)


def find_restarted(engine: str, endpoint: str, form: str) -> Found:
    """Ask an engine, then another one on the same port over the connection to the first."""
    with well(engine) as first:
        client = service(engine, first.url)
        ask(client, endpoint, form)
    with well(engine, first.port) as second:
        outcome = ask(client, endpoint, form)
        seen = Seen(len(second.received(DIALECTS[engine, endpoint].path)))
        return outcome, seen, ask(client, endpoint, form)


@contextmanager
def no_thread_left() -> Iterator[None]:
    """AssertionError when the gateway leaves a thread behind; the fake's own go with it."""
    before = _threads()
    yield
    assert _threads() <= before


def _threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if not t.name.startswith("fake-")}
