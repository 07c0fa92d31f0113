"""When a silent stream gets a word, and when it must not."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import socket as gevent_socket

from tensoria.server.client import SocketClient
from tensoria.server.heartbeats import Heartbeats
from tensoria.server.response import OneSendResponse

SECONDS = 0.08
WORD = b": word\n"
CHUNK = b"7\r\n: word\n\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[Any, Any]]:
    ours, theirs = (gevent_socket.socket(fileno=s.detach()) for s in socket.socketpair())
    with ours, theirs:
        yield ours, theirs


Pair = tuple[Any, Any]


def respond(ours: Any, version: tuple[int, int] = (1, 1)) -> OneSendResponse:
    request = SimpleNamespace(method="POST", version=version, should_close=lambda: False)
    config = SimpleNamespace(sendfile=False, is_ssl=False)
    response = OneSendResponse(request, ours, config)
    response.start_response("200 OK", [("Content-Type", "text/event-stream")])
    return response


def beating(ours: Any) -> tuple[OneSendResponse, Heartbeats, SocketClient]:
    response, heartbeats = respond(ours), Heartbeats()
    client = SocketClient(ours, set(), response, heartbeats)
    client.heartbeat(SECONDS, WORD)
    return response, heartbeats, client


def read(theirs: Any) -> bytes:
    """Return what is there, without a wait."""
    try:
        data: bytes = theirs._sock.recv(1 << 20)
    except BlockingIOError:
        return b""
    return data


def test_a_silent_stream_gets_a_word_again_and_again(pair: Pair) -> None:
    response, _, client = beating(pair[0])
    response.write(b"data\n\n")
    gevent.sleep(6 * SECONDS)
    client.stop_watching()

    assert 2 <= read(pair[1]).count(CHUNK) <= 6


def test_a_stream_that_goes_on_gets_none(pair: Pair) -> None:
    response, _, client = beating(pair[0])
    for _ in range(20):
        response.write(b"data\n\n")
        gevent.sleep(SECONDS / 4)
    client.stop_watching()

    assert WORD not in read(pair[1])


def test_nothing_is_said_before_the_streams_own_first_bytes(pair: Pair) -> None:
    _, _, client = beating(pair[0])
    gevent.sleep(3 * SECONDS)
    client.stop_watching()

    assert read(pair[1]) == b""


def test_nothing_is_said_behind_the_last_bytes(pair: Pair) -> None:
    response, _, _ = beating(pair[0])
    response.write(b"data\n\n")
    response.close()
    gevent.sleep(3 * SECONDS)

    assert read(pair[1]).endswith(b"\r\n0\r\n\r\n")


def test_nothing_is_said_to_a_client_that_has_enough_to_read(pair: Pair) -> None:
    response, _, client = beating(pair[0])
    response.write(b"x" * 900_000)
    gevent.sleep(3 * SECONDS)
    client.stop_watching()
    assert response.unread
    data = b""
    while len(data) < 900_000:
        data += pair[1].recv(1 << 20)

    assert WORD not in data + read(pair[1])


def test_an_old_client_gets_the_word_without_a_frame(pair: Pair) -> None:
    response, heartbeats = respond(pair[0], version=(1, 0)), Heartbeats()
    heartbeats.begin(response, SECONDS, WORD)
    response.write(b"data\n\n")
    gevent.sleep(2 * SECONDS)
    heartbeats.end(response)

    assert b"data\n\n: word\n" in read(pair[1])


def test_a_client_that_left_stops_nobody_elses_heartbeats(pair: Pair) -> None:
    gone, heartbeats, _ = beating(pair[0])
    gone.write(b"data\n\n")
    ours, theirs = (gevent_socket.socket(fileno=s.detach()) for s in socket.socketpair())
    with ours, theirs:
        there = respond(ours)
        heartbeats.begin(there, SECONDS, WORD)
        there.write(b"data\n\n")
        pair[1].close()
        gevent.sleep(6 * SECONDS)
        heartbeats.end(there)
        assert read(theirs).count(CHUNK) >= 2
    heartbeats.end(gone)


def test_the_loop_runs_only_while_there_are_streams(pair: Pair) -> None:
    _, heartbeats, client = beating(pair[0])
    loop = heartbeats._loop
    client.stop_watching()
    loop.join(5)
    assert heartbeats._loop is None
    client.heartbeat(SECONDS, WORD)

    assert heartbeats._loop is not None
    client.stop_watching()


def test_a_client_without_a_response_has_no_heartbeats() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = SocketClient(ours)
        client.heartbeat(SECONDS, WORD)
        client.stop_watching()

        assert not client.unread()
