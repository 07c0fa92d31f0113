"""A client that leaves frees the engine, whatever both of them are doing; with the real worker."""

import socket
import struct
from collections.abc import Callable

import pytest

from tests.e2e.service import Service, wait_for
from tests.e2e.test_service import endless, raw_chat, read_until
from tests.fake_ollama import FakeOllama, Handler, chat_line, hang, stream

pytestmark = pytest.mark.e2e


def close(client: socket.socket) -> None:
    client.close()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def half_close(client: socket.socket) -> None:
    """As a script that has sent all it will: nginx and Go take it for the end as well."""
    client.shutdown(socket.SHUT_WR)


BETWEEN_TOKENS = stream([chat_line("Hel"), hang])
LEAVE = pytest.mark.parametrize("leave", [close, reset, half_close])


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("engine", [hang, BETWEEN_TOKENS], ids=["prefill", "between tokens"])
@LEAVE
def test_the_engine_is_freed_while_it_says_nothing(
    fake: FakeOllama,
    service: Service,
    engine: Handler,
    streamed: bool,
    leave: Callable[[socket.socket], None],
) -> None:
    fake.script("/api/chat", engine)
    with raw_chat(service, stream=streamed) as client:
        if streamed and engine is BETWEEN_TOKENS:
            read_until(client, b'"Hel"')
        fake.wait_for_request()
        leave(client)
        fake.wait_for_disconnect(timeout=3)
    _is_logged_as_499(service)


@pytest.mark.parametrize("leave", [close, reset])
def test_the_engine_is_freed_while_a_client_does_not_read(
    fake: FakeOllama, service: Service, leave: Callable[[socket.socket], None]
) -> None:
    fake.script("/api/chat", endless)
    with raw_chat(service, stream=True) as client:
        read_until(client, b"data: ")
        leave(client)
        fake.wait_for_disconnect(timeout=3)
    _is_logged_as_499(service)


def test_a_client_that_left_disturbs_nobody_else(fake: FakeOllama, service: Service) -> None:
    """A throw must never reach another request."""
    for number in range(20):
        fake.script("/api/chat", hang)
        with raw_chat(service, stream=True) as client:
            fake.wait_for_request(count=2 * number + 1)
            close(client)
            fake.wait_for_disconnect(count=number + 1, timeout=3)
        fake.script("/api/chat")
        with raw_chat(service, stream=True) as client:
            assert b"[DONE]" in read_until(client, b"[DONE]")
    assert "Traceback" not in service.log.read_text()


def _is_logged_as_499(service: Service) -> None:
    wait_for(lambda: " status=499 " in service.log.read_text(), "the line", service.log)
