"""Streams of a backend that keeps no promise: the client is told all the same."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tensoria.api.services import UnwatchedClient
from tensoria.app import create_app
from tensoria.backends.base import EngineStatus
from tensoria.config import Settings
from tensoria.translate.chat import Frame, to_chunk
from tensoria.wire.openai import Chunk
from tests.api.conftest import Lines
from tests.contract.client import ContractClient
from tests.fake_ollama import FakeOllama, chat_line, close, done_line, stream

PATH = "/v1/chat/completions"
FRAME = Frame(id="chatcmpl-test", created=1, model="m")


class QuietStream:
    """Ends after these blocks without a word, as no backend may."""

    def __init__(self, *blocks: list[Chunk]) -> None:
        self.model = "m"
        self.adjusted: dict[str, str] = {}
        self.finished = False
        self.usage = None
        self.timings: dict[str, float] = {}
        self.closed = 0
        self._blocks = iter(blocks)

    def __iter__(self) -> Iterator[list[Chunk]]:
        return self

    def __next__(self) -> list[Chunk]:
        return next(self._blocks)

    def close(self) -> None:
        self.closed += 1


class QuietBackend:
    """A backend with one answer."""

    def __init__(self, answer: QuietStream) -> None:
        self.answer = answer

    def chat(self, *_: object) -> QuietStream:
        return self.answer

    def resolve(self, name: str | None, *, embeds: bool = False) -> str:
        return name or "m"

    def models(self) -> list[Any]:
        return []

    def model(self, name: str) -> Any:
        return {"id": name}

    def status(self) -> EngineStatus:
        return EngineStatus("quiet", None)


def client_of(answer: QuietStream) -> FlaskClient:
    app = create_app(Settings.from_env({}), QuietBackend(answer))  # type: ignore[arg-type]
    app.test_client_class = ContractClient
    return app.test_client()


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_without_a_word_is_502(hello: dict[str, Any], streamed: bool) -> None:
    answer = QuietStream([], [])
    response = client_of(answer).post(PATH, json={**hello, "stream": streamed})

    assert response.status_code == 502
    assert answer.closed == 1


def test_a_stream_that_ends_in_the_middle_ends_in_an_error_event(hello: dict[str, Any]) -> None:
    answer = QuietStream([to_chunk(FRAME, {"role": "assistant", "content": ""})], [])
    with client_of(answer).post(PATH, json={**hello, "stream": True}) as response:
        last = response.get_data(as_text=True).rstrip().rpartition("data: ")[2]

    assert orjson.loads(last)["error"]["code"] == "engine_error"
    assert answer.closed >= 1


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("blocks", [1, 300])
def test_a_long_answer_is_whole_however_it_comes(
    make_app: Callable[..., Flask],
    fake: FakeOllama,
    hello: dict[str, Any],
    streamed: bool,
    blocks: int,
) -> None:
    """Longer than one turn, in one block or in hundreds."""
    lines = [chat_line(f"{number} ") for number in range(300)]
    steps = lines if blocks == 300 else [b"".join(lines)]
    fake.script("/api/chat", stream([*steps, done_line()]))
    asked = {**hello, "stream": streamed}
    with make_app().test_client().post(PATH, json=asked) as response:
        body = response.get_data(as_text=True)

    assert body.count('"299 "' if streamed else "298 299 ") == 1


class Behind(UnwatchedClient):
    """A client that does not read to the end."""

    def unread(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("steps", "status"),
    [([chat_line("a"), done_line()], 499), ([chat_line("a"), close], 502)],
    ids=["whole", "failed"],
)
@pytest.mark.parametrize("heartbeat", ["0", "25"])
def test_a_stream_that_was_not_read_to_its_end_is_logged_as_499_unless_it_failed(
    make_app: Callable[..., Flask],
    fake: FakeOllama,
    hello: dict[str, Any],
    log: Lines,
    steps: list[Any],
    status: int,
    heartbeat: str,
) -> None:
    fake.script("/api/chat", stream(steps))
    client = make_app(STREAM_HEARTBEAT_SECONDS=heartbeat).test_client()
    told = {"tensoria.client": Behind()}
    asked = {**hello, "stream": True}
    with client.post(PATH, json=asked, environ_overrides=told) as response:
        response.get_data()

    (line,) = log.of_requests()
    assert f" status={status} " in line
