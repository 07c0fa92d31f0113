"""What the worker puts around the application."""

import socket

import gevent
import pytest
from gunicorn.http.errors import InvalidChunkSize

from tensoria.server.client import SocketClient
from tensoria.server.worker import ChunkedInput, Waiting, WithClient


def test_the_app_finds_its_client_in_environ() -> None:
    seen: list[object] = []

    def app(environ: dict[str, object], start_response: object) -> list[bytes]:
        seen.append(environ["tensoria.client"])
        return [b"body"]

    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert WithClient(app, set())({"gunicorn.socket": ours, "REQUEST_METHOD": "GET"}, None) == [
            b"body"
        ]
    assert isinstance(seen[0], SocketClient)


class Body:
    """What gunicorn gives for a chunked body: one good read, and then a size that is none."""

    def __init__(self) -> None:
        self.asked: list[int | None] = []

    def read(self, size: int | None) -> bytes:
        self.asked.append(size)
        if len(self.asked) > 1:
            raise InvalidChunkSize(b"xyz")
        return b"read"


def test_chunks_that_cannot_be_read_are_the_clients_fault() -> None:
    """Of an OSError in its input werkzeug knows that: 400, where any other error is 500."""
    body = Body()
    chunked = ChunkedInput(body)

    assert chunked.read(4) == b"read"
    with pytest.raises(OSError, match="chunks"):
        chunked.read()
    assert body.asked == [4, None]


def test_only_a_chunked_body_is_wrapped() -> None:
    seen: list[object] = []

    def app(environ: dict[str, object], start_response: object) -> list[bytes]:
        seen.append(environ["wsgi.input"])
        return []

    body = Body()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        environ = {"gunicorn.socket": ours, "wsgi.input": body, "REQUEST_METHOD": "POST"}
        WithClient(app, set())(dict(environ), None)
        WithClient(app, set())({**environ, "HTTP_TRANSFER_ENCODING": "chunked"}, None)

    assert seen[0] is body
    assert isinstance(seen[1], ChunkedInput)


def test_a_wait_that_is_ended_is_over() -> None:
    everybody: set[Waiting] = set()

    def wait() -> str:
        with Waiting(30, everybody):
            gevent.sleep(20)
            return "slept"
        return "ended"

    waiting = gevent.spawn(wait)
    gevent.sleep(0)
    (one,) = everybody
    one.end()

    assert waiting.get(timeout=5) == "ended"
    assert everybody == set()


def test_a_wait_whose_request_came_meanwhile_is_not_ended() -> None:
    """The end is thrown from the hub, a moment later: by then an answer may have begun."""
    everybody: set[Waiting] = set()
    came = gevent.event.Event()

    def serve() -> str:
        with Waiting(30, everybody):
            came.wait()
        gevent.sleep(0.02)
        return "answered"

    serving = gevent.spawn(serve)
    gevent.sleep(0)
    (one,) = everybody
    came.set()
    gevent.get_hub().loop.run_callback(one.end)

    assert serving.get(timeout=5) == "answered"
