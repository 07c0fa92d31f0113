"""The clients that `aborts.py` has leave: what they ask for, and how they go."""

import contextlib
import itertools
import json
import socket
import struct
from dataclasses import dataclass

from soak_processes import SoakError

# How a client leaves, once its request is in the state: the model that keeps it there, by its
# name in the mock, and how many runs of the engine one request is.
STATES = {
    "queued": ("mock-100000t-1000ms", 1),
    "prefill": ("mock-5t-50ms-ft100000ms", 1),
    "between tokens": ("mock-1000t-900ms", 1),
    # As fast as it may be: a client that leaves more than a megabyte unread is dropped.
    "writing": ("mock-3000000t-1ms", 1),
    "three choices": ("mock-1000t-950ms", 3),
    # About as long as it takes until the last of them leaves: some have their whole answer then.
    "any moment": ("mock-10t-2ms", 3),
}
ANY = "any moment"
LEAVES = ("FIN", "RST", "half-close")
WHOLE = "mock-20t-1ms"
# Adding up an answer without an end would be about memory: these tokens come slowly.
WHOLE_WRITING = "mock-100000t-5ms"
# The client's buffer, so that most of its answer waits on this side.
RECEIVE_BYTES = 4096
LIMIT_SECONDS = 20.0
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Round:
    """Clients that are left together, in one state and in one way."""

    state: str
    streamed: bool
    leave: str

    @property
    def model(self) -> str:
        """The model that keeps a request in the state."""
        if self.state == "writing" and not self.streamed:
            return WHOLE_WRITING
        return STATES[self.state][0]

    @property
    def runs(self) -> int:
        """How many runs of the engine one request is."""
        return STATES[self.state][1]

    @property
    def reads(self) -> bool:
        """Whether the client has read something before it leaves."""
        return self.streamed and self.state not in ("queued", "prefill", ANY)


ROUNDS = [Round(*each) for each in itertools.product(STATES, (True, False), LEAVES)]


def connect(
    port: int, key: str, planned: Round, receive_bytes: int = RECEIVE_BYTES
) -> socket.socket:
    """Send the request of a round, and return the connection."""
    asked = {
        "model": planned.model,
        "stream": planned.streamed,
        "n": planned.runs,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.settimeout(LIMIT_SECONDS)
    client.connect(("127.0.0.1", port))
    client.sendall(to_request(key, asked))
    return client


def to_request(key: str, asked: dict[str, object]) -> bytes:
    """Return a chat request as it goes on the wire."""
    body = json.dumps(asked).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def read_until(client: socket.socket, end: bytes) -> None:
    """Read up to some bytes; SoakError when the answer ends before."""
    data = b""
    while end not in data:
        received = client.recv(RECEIVE_BYTES)
        if not received:
            raise SoakError(f"an answer ended by itself: {data[-200:]!r}")
        data += received


def leave(client: socket.socket, how: str) -> None:
    """End a connection from its client's side."""
    if how == "half-close":
        # The gateway takes it for the end, and hangs up, if it has not done so already.
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 16):
                pass
    elif how == "RST":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    client.close()
