"""Clients that do not read: the engine is read all the same, and they are dropped in the end."""

import socket
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.e2e.service import Service, running_service, wait_for
from tests.e2e.test_service import CHAT, LAST_CHUNK, PATH, endless, raw_chat, read_until
from tests.fake_ollama import FakeOllama, Handler, chat_line, done_line, stream

pytestmark = pytest.mark.e2e

CHAT_LINE = "POST /v1/chat/completions"
WINDOW_BYTES = 4096


def kernel_takes() -> int:
    """Return how many bytes fit into a connection whose client reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener, lazy_client() as client:
        client.connect(listener.getsockname())
        ours, _ = listener.accept()
        with ours:
            ours.setblocking(False)
            taken = 0
            while True:
                try:
                    taken += ours.send(b"x" * 15_000)
                except BlockingIOError:
                    return taken


def lazy_client() -> socket.socket:
    """Return a socket with a window of a few kilobytes."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
    client.settimeout(20)
    return client


def lazy_chat(service: Service, **fields: Any) -> socket.socket:
    """Ask, and read nothing yet."""
    body = orjson.dumps({**CHAT, **fields})
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    sock = lazy_client()
    sock.connect(("127.0.0.1", service.port))
    sock.sendall(head.encode() + body)
    return sock


def long_answer() -> Handler:
    """Return an answer in thousands of events: half a megabyte more than the kernel takes."""
    count = (kernel_takes() + 500_000) // 500
    lines = [chat_line(f"{number} " + "y" * 290) for number in range(count)]
    blocks = [b"".join(lines[at : at + 50]) for at in range(0, len(lines), 50)]
    return stream([*blocks, chat_line("the end"), done_line()])


def is_told(service: Service, words: str) -> None:
    wait_for(lambda: words in service.log.read_text(), f"a line with {words}", service.log)


def is_read_by(fake: FakeOllama, service: Service) -> None:
    """Return when the service has read the first answer, and has answered somebody else since."""
    assert fake.wait_for_request().over.wait(15)
    fake.script("/api/chat", stream([chat_line("Hello"), done_line()]))
    with raw_chat(service, stream=True) as second:
        assert b"Hello" in read_until(second, LAST_CHUNK)
    is_told(service, CHAT_LINE)


def test_an_engine_is_read_however_slow_the_client(fake: FakeOllama, service: Service) -> None:
    """And what the client asks next on its connection is answered behind the first answer."""
    fake.script("/api/chat", long_answer())
    with lazy_chat(service, stream=True) as sock:
        is_read_by(fake, service)
        assert service.log.read_text().count(CHAT_LINE) == 1
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = read_until(sock, b'{"status": "ok"}')

    answer, _, following = answer.partition(LAST_CHUNK)
    assert following.startswith(b"HTTP/1.1 200 OK\r\n")
    events = [part for part in answer.split(b"data: ")[1:] if b'"content":"' in part]
    numbers = [int(part.split(b'"content":"')[1].split(b" ")[0]) for part in events[1:-1]]
    assert len(answer) > kernel_takes() + 100_000
    assert numbers == list(range(len(numbers)))
    assert b"the end" in answer
    assert b"data: [DONE]" in answer


def test_a_client_that_never_reads_is_dropped(fake: FakeOllama, service: Service) -> None:
    fake.script("/api/chat", endless)
    with lazy_chat(service, stream=True) as sock:
        fake.wait_for_disconnect(timeout=15)
        is_told(service, " status=499 ")
        with pytest.raises(ConnectionResetError):
            while sock.recv(1 << 20):
                pass

    assert "Traceback" not in service.log.read_text()


def test_an_engine_that_is_done_is_free_while_its_client_reads(
    fake: FakeOllama, tmp_path: Path
) -> None:
    fake.script("/api/chat", long_answer())
    with (
        running_service(tmp_path, fake.url, MAX_CONCURRENCY="1", MAX_QUEUE="1") as narrow,
        lazy_chat(narrow, stream=True),
    ):
        is_read_by(fake, narrow)
        assert narrow.log.read_text().count(CHAT_LINE) == 1


def test_a_client_that_leaves_unread_bytes_is_logged_as_499(
    fake: FakeOllama, service: Service
) -> None:
    fake.script("/api/chat", long_answer())
    with lazy_chat(service, stream=True):
        is_read_by(fake, service)
    is_told(service, " status=499 ")

    assert "Traceback" not in service.log.read_text()
