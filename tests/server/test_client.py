"""The client of a request: asked whether it is there, and watched so that its leaving is felt."""

import socket
import struct
import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent import socket as gevent_socket

from tensoria.errors import ClientClosed, RequestEnded, ServiceStopping
from tensoria.server.client import SocketClient

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


def reset(theirs: socket.socket) -> None:
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()


def half_close(theirs: socket.socket) -> None:
    theirs.shutdown(socket.SHUT_WR)


class Request:
    """A request that waits for an engine in a greenlet of its own, and what became of it."""

    def __init__(self, ours: socket.socket, wait: Callable[[], None]) -> None:
        self.ends: list[str] = []
        self.cleaned = 0
        self._wait = wait
        self._ours = ours
        self.greenlet = gevent.spawn(self._run)
        gevent.sleep(0)

    def _run(self) -> None:
        self.client = SocketClient(self._ours)
        self.client.watch()
        try:
            self._wait()
            self.ends.append("finished")
        except RequestEnded as ended:
            self.ends.append(ended.error.code)
        finally:
            self.client.stop_watching()
            gevent.sleep(0.02)
            self.cleaned += 1


def hang() -> None:
    gevent.sleep(20)


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        ours = gevent_socket.socket(fileno=accepted.detach())
    with theirs, ours:
        yield ours, theirs


Sockets = tuple[socket.socket, socket.socket]


@pytest.mark.parametrize("leave", [socket.socket.close, half_close, reset])
def test_a_request_that_waits_ends_when_its_client_leaves(
    sockets: Sockets, leave: Callable[[socket.socket], None]
) -> None:
    request = Request(sockets[0], hang)
    leave(sockets[1])
    request.greenlet.join(timeout=5)

    assert request.ends == ["client_closed_request"]
    assert request.cleaned == 1
    assert request.client.gone()


def test_a_client_that_leaves_during_the_clean_up_does_not_disturb_it(sockets: Sockets) -> None:
    request = Request(sockets[0], lambda: None)
    sockets[1].close()
    request.greenlet.join(timeout=5)

    assert request.ends == ["finished"]
    assert request.cleaned == 1


def test_the_first_cause_counts_and_a_second_one_is_not_thrown(sockets: Sockets) -> None:
    request = Request(sockets[0], hang)
    told = []

    def end_twice() -> None:
        told.append(request.client.end(ServiceStopping()))
        told.append(request.client.end(ClientClosed()))

    gevent.get_hub().loop.run_callback(end_twice)
    request.greenlet.join(timeout=5)

    assert told == [True, False]
    assert request.ends == ["service_stopping"]
    assert request.cleaned == 1


def test_nothing_is_thrown_into_a_request_that_is_over(sockets: Sockets) -> None:
    request = Request(sockets[0], lambda: None)
    request.greenlet.join(timeout=5)

    assert not request.client.end(ClientClosed())


def test_a_next_request_that_comes_early_ends_nothing(sockets: Sockets) -> None:
    """Pipelined bytes hide the end that follows them; the kernel still tells it."""
    going_on = gevent.event.Event()
    request = Request(sockets[0], going_on.wait)
    sockets[1].sendall(b"GET /next")
    gevent.sleep(0.02)
    assert not request.client.gone()
    sockets[1].close()
    assert until_gone(request.client)
    going_on.set()
    request.greenlet.join(timeout=5)

    assert request.ends == ["finished"]


def test_a_request_whose_socket_is_closed_can_still_be_ended() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()
    request = Request(ours, hang)
    gevent.get_hub().loop.run_callback(request.client.end, ServiceStopping())
    request.greenlet.join(timeout=5)

    assert request.ends == ["service_stopping"]


def test_a_client_is_not_watched_before_it_is_asked_for(sockets: Sockets) -> None:
    """While its body comes, the end of it is for whoever reads it to judge."""
    client = SocketClient(sockets[0])
    sockets[1].close()
    gevent.sleep(0.05)

    assert client.gone()
