"""Hundreds of hostile requests through one and the same service, which outlives them all.

The tables in `tests/hostile` say how each is answered. For every one: no fault of ours, the whole
envelope with the field at fault, nothing for the engine to run where it is refused, no connection
to an address inside a request, an end in bounded time, and then an ordinary request as ever.
"""

import re
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tensoria.app import create_app
from tensoria.config import Settings
from tests.contract.client import ContractClient
from tests.fake_ollama import FakeOllama, model_entry
from tests.hostile import anthropic
from tests.hostile.addresses import ADDRESS_ROWS
from tests.hostile.fields import FIELDS
from tests.hostile.messages import MESSAGES
from tests.hostile.names import NAMES
from tests.hostile.raw import RAW
from tests.hostile.rows import CHAT, EMBEDDER, MODEL, ORDINARY, PORT, Row, encoded
from tests.hostile.schemas import SCHEMAS

ROWS = [*FIELDS, *MESSAGES, *SCHEMAS, *ADDRESS_ROWS, *RAW, *NAMES, *anthropic.ROWS]
RUNS = ("/api/chat", "/api/generate", "/api/embed")
# No measure of speed: what is quadratic, or follows an address, takes minutes.
MOST_SECONDS = 10.0


@dataclass(frozen=True)
class Target:
    """A service, its engine, and a listener that nobody must call."""

    client: FlaskClient
    fake: FakeOllama
    canary: socket.socket

    def send(self, row: Row) -> TestResponse:
        """Send a row's request, with the listener's port wherever it names it."""
        port = str(self.canary.getsockname()[1])
        return self.client.open(
            row.path.replace(PORT, port),
            method=row.method,
            data=row.body().replace(PORT.encode(), port.encode()),
            content_type=row.content_type,
            environ_overrides={
                name: value.replace(PORT, port) for name, value in row.environ.items()
            },
        )

    def runs(self) -> int:
        """Count what the engine was asked to run since the last look."""
        found = sum(request.path in RUNS for request in self.fake.requests)
        self.fake.requests.clear()
        return found

    def was_called(self) -> bool:
        """Tell whether somebody connected to the listener."""
        return bool(select.select([self.canary], [], [], 0)[0])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One for all rows, as a worker serves everybody."""
    with FakeOllama() as fake, socket.create_server(("127.0.0.1", 0)) as canary:
        able = ("completion", "tools", "vision", "insert", "thinking")
        fake.models = [
            model_entry(MODEL, capabilities=able),
            model_entry(EMBEDDER, capabilities=("embedding",), digest="e" * 64),
        ]
        data = str(tmp_path_factory.mktemp("data"))
        app = create_app(Settings.from_env({"OLLAMA_BASE_URL": fake.url, "DATA_DIR": data}))
        app.test_client_class = ContractClient
        yield Target(app.test_client(), fake, canary)
        app.extensions["tensoria"].memory.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_hostile_request_is_answered_and_does_no_harm(target: Target, row: Row) -> None:
    target.runs()
    started = time.monotonic()
    response = target.send(row)
    seconds = time.monotonic() - started

    assert response.status_code == row.status, response.text[:500]
    if row.status >= 400:
        error = response.get_json()["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert (error["code"], error["param"]) == (row.code, row.param)
        assert len(error["message"]) < 10_000
    if 400 <= row.status < 500:
        assert target.runs() == 0
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", response.headers["X-Request-ID"])
    assert not target.was_called()
    assert seconds < MOST_SECONDS
    assert target.client.post(CHAT, json=ORDINARY[CHAT]).status_code == 200


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_request_reaches_the_engine(target: Target, path: str) -> None:
    """Or else the rows would prove nothing."""
    target.runs()
    row = Row("ordinary", 200, path=path, body=encoded(ORDINARY[path]))
    assert target.send(row).status_code == 200
    assert target.runs() == 1
