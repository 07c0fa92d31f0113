"""The client that can be asked whether it is still there, and what puts it into environ."""

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from gevent import socket as gevent_socket

from tensoria.server.worker import SocketClient, WithClient

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
