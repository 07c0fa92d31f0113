"""The client that can be asked whether it is still there, and what puts it into environ."""

import socket
import struct
import time
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket as gevent_socket
from gunicorn.http.errors import InvalidChunkSize

from tensoria.server.worker import ChunkedInput, SocketClient, Waiting, WithClient

Pair = tuple[SocketClient, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A watched client on a socket of gevent's, as gunicorn hands it over, and its other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        ours = gevent_socket.socket(fileno=accepted.detach())
    with theirs, ours:
        yield SocketClient(ours), theirs


def until_gone(client: SocketClient) -> bool:
    """On a busy machine a FIN may take a moment to cross loopback."""
    deadline = time.monotonic() + 2
    while not client.gone():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def test_a_client_that_waits_is_there(pair: Pair) -> None:
    assert not pair[0].gone()


def test_asking_does_not_wait_and_takes_nothing_away(pair: Pair) -> None:
    client, theirs = pair
    theirs.sendall(b"GET /next")
    for _ in range(3):
        assert not client.gone()

    assert client._socket.recv(100) == b"GET /next"
    assert not client.gone()


def test_a_client_that_closed_is_gone(pair: Pair) -> None:
    pair[1].close()

    assert until_gone(pair[0])


def test_a_client_that_closed_its_half_is_gone(pair: Pair) -> None:
    """As in Go's net/http and in nginx."""
    pair[1].shutdown(socket.SHUT_WR)

    assert until_gone(pair[0])


def test_a_client_that_reset_is_gone(pair: Pair) -> None:
    pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair[1].close()

    assert until_gone(pair[0])


def test_a_socket_that_we_closed_ourselves_is_gone() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()

    assert SocketClient(ours).gone()


def test_a_plain_socket_can_be_watched_too() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        assert not SocketClient(ours).gone()


def test_the_app_finds_its_client_in_environ() -> None:
    seen: list[object] = []

    def app(environ: dict[str, object], start_response: object) -> list[bytes]:
        seen.append(environ["tensoria.client"])
        return [b"body"]

    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert WithClient(app)({"gunicorn.socket": ours}, None) == [b"body"]
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
        environ = {"gunicorn.socket": ours, "wsgi.input": body}
        WithClient(app)(dict(environ), None)
        WithClient(app)({**environ, "HTTP_TRANSFER_ENCODING": "chunked"}, None)

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
