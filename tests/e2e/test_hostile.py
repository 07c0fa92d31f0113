"""Hostile bytes on the wire: what only the real server sees (see tests/test_hostile.py)."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.e2e.service import KEY, Service, running_service
from tests.fake_ollama import FakeOllama

pytestmark = pytest.mark.e2e

HEAD = f"X-API-Key: {KEY}\r\nHost: x\r\n".encode()
BODY = b'{"messages":[{"role":"user","content":"Hi"}]}'
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
GET = b"GET /v1/models HTTP/1.1\r\n" + HEAD
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
ORDINARY = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY

# (name, bytes, status)
ROWS: list[tuple[str, bytes, int]] = [
    ("no HTTP", b"\x00\xff\x16\x03\x01 canary7f3\r\n\r\n", 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("HTTP/0.9", b"GET /\r\n\r\n", 400),
    ("HTTP/9.9", b"GET /canary7f3 HTTP/9.9\r\n\r\n", 400),
    ("a small method", b"get /health HTTP/1.1\r\n\r\n", 400),
    ("a long method", b"A" * 300 + b" / HTTP/1.1\r\n\r\n", 400),
    ("no path", b"GET  HTTP/1.1\r\n\r\n", 400),
    ("bytes in the path", b"GET /\xc3\xa9canary7f3 HTTP/1.1\r\n\r\n", 400),
    ("a path of 100 kB", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 414),
    ("a header of 100 kB", GET + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n", 431),
    ("500 headers", GET + b"X-A: a\r\n" * 500 + b"\r\n", 431),
    ("a folded header", GET + b"X-A: a\r\n canary7f3\r\n\r\n", 400),
    ("a blank before the colon", GET + b"X-A : a\r\n\r\n", 400),
    ("NUL in a header", GET + b"X-A: a\x00canary7f3\r\n\r\n", 400),
    ("two hosts", GET + b"Host: y\r\n\r\n", 400),
    ("another expectation", POST + b"Expect: canary7f3\r\n\r\n", 417),
    ("a length that is none", POST + b"Content-Length: abc\r\n\r\n" + BODY, 400),
    ("a length below zero", POST + b"Content-Length: -1\r\n\r\n" + BODY, 400),
    ("a length with a sign", POST + b"Content-Length: +45\r\n\r\n" + BODY, 400),
    ("a length of 20 digits", POST + b"Content-Length: " + b"9" * 20 + b"\r\n\r\n" + BODY, 413),
    ("two lengths", POST + b"Content-Length: 3\r\nContent-Length: 45\r\n\r\n" + BODY, 400),
    (
        "a length and chunks",
        POST + b"Content-Length: 45\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("a coding that nobody knows", POST + b"Transfer-Encoding: canary7f3\r\n\r\n", 400),
    ("no length", POST + b"\r\n" + BODY, 400),
    ("a body that is cut", POST + b"Content-Length: 45\r\n\r\n" + BODY[:20], 400),
    ("a chunk of less than nothing", CHUNKED + b"-1\r\n\r\n", 400),
    ("a chunk of 2**72 bytes", CHUNKED + b"f" * 18 + b"\r\n", 400),
    ("PROXY", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET /health HTTP/1.1\r\n\r\n", 400),
    ("CONNECT", b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
    ("dots", b"GET /../../etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
    ("bad percents", b"GET /%zz%ff%00%0d%0a HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
    ("a web socket", GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
    ("no key", b"GET http://127.0.0.1:1/v1/models HTTP/1.1\r\nHost: x\r\n\r\n", 401),
    ("another name of the key", b"GET / HTTP/1.1\r\nX_API_Key: " + KEY.encode() + b"\r\n\r\n", 401),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all rows."""
    folder = tmp_path_factory.mktemp("hostile")
    with FakeOllama() as fake, running_service(folder, fake.url) as started:
        yield started


def answer_to(service: Service, data: bytes, *, hang_up: bool = True) -> tuple[int, bytes, bytes]:
    """Send bytes and no more; return the status, the head and the body of the first answer."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as sock:
        sock.sendall(data)
        if hang_up:
            sock.shutdown(socket.SHUT_WR)
        with sock.makefile("rb") as file:
            head, _, body = file.read().partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    assert found, head
    return int(found[1]), head, body


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_hostile_bytes_are_answered_in_the_envelope(
    service: Service, data: bytes, status: int
) -> None:
    found, head, body = answer_to(service, data)

    assert found == status, head
    assert b"application/json" in head
    error = orjson.loads(body)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert b"canary7f3" not in body
    assert answer_to(service, ORDINARY, hang_up=False)[0] == 200


def test_log_has_no_trace_of_a_fault_of_ours(tmp_path: Path, fake: FakeOllama) -> None:
    with running_service(tmp_path, fake.url) as service:
        for _name, data, _status in ROWS:
            answer_to(service, data)
        assert "Traceback" not in service.log.read_text()
        assert " ERROR " not in service.log.read_text()
