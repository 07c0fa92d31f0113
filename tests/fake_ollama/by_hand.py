"""A client of the fake that looks at single bytes: a socket, and what came out of it."""

import json
import socket
from typing import Any

CHAT: dict[str, Any] = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "hi"}]}


def ask(port: int, path: str = "/api/chat", method: str = "POST") -> socket.socket:
    """Send a chat request and return the socket, which the caller closes."""
    body = json.dumps(CHAT).encode()
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    head = f"{method} {path} HTTP/1.1\r\nHost: fake\r\nContent-Length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body)
    return sock


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Read until these bytes have come; AssertionError when the connection ends before."""
    data = b""
    while end not in data:
        received = sock.recv(65536)
        assert received, f"the connection ended after {data!r}"
        data += received
    return data


def read_all(sock: socket.socket) -> bytes:
    """Read until the connection ends."""
    data = b""
    while received := sock.recv(65536):
        data += received
    return data
