"""What a client has not taken yet of the answer on its connection."""

import errno
import socket
import struct
from contextlib import suppress
from typing import Any

import gevent
from gevent.event import Event

# Of a stream whose client is slower than the engine: several thousand events, longer than the
# pause of any client that still reads. A thousand such clients at a time fit a small machine.
MOST_WAITING_BYTES = 1024 * 1024
# A client that takes not a byte for that long reads no more: TCP's own probes of a closed window
# are seconds apart.
STALLED_SECONDS = 60.0
_PIECE_BYTES = 64 * 1024
# l_onoff=1, l_linger=0: the close sends RST, and the kernel forgets what it still holds.
_RESET = struct.pack("ii", 1, 0)


class Outbox:
    """Bytes that the kernel did not take, written by a greenlet of their own.

    | state   | after                              | `put`            | `wait_until_empty`      |
    | ------- | ---------------------------------- | ---------------- | ----------------------- |
    | empty   | its creation, the last byte's send | begins to write  | returns                 |
    | waiting | `put`                              | adds             | waits for the last byte |
    | broken  | a failed send, `drop`              | raises its cause | raises its cause        |

    Whoever writes an answer never waits here, so that the engine is read however slow its client.
    """

    __slots__ = ("_broken", "_buffer", "_largest", "_moved", "_sock", "_writer")

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._largest = 0
        self._writer: Any = None
        self._moved = Event()
        self._broken: OSError | None = None

    @property
    def waiting(self) -> bool:
        """Tell whether something is not sent; nothing may then be sent beside the outbox."""
        return self._broken is not None or bool(self._buffer)

    def put(self, data: Any) -> None:
        """Take bytes to be sent behind those that wait; returns at once.

        Raises BrokenPipeError, and drops the client, when too many wait. The longest write is not
        counted, so that an answer is not lost for its size: nobody has had time to read it.
        """
        self._largest = max(self._largest, len(data))
        most = MOST_WAITING_BYTES + self._largest
        if self._broken is None and len(self._buffer) + len(data) > most:
            self.drop()
        if self._broken is not None:
            raise self._broken
        self._buffer += data
        if self._writer is None:
            self._writer = gevent.spawn(self._write)

    def wait_until_empty(self) -> None:
        """Return when the client has been sent all of it.

        Raises what a send raised, and BrokenPipeError for a client that stands still. Anything
        thrown into the wait drops the client too: what comes next on the connection would be taken
        for the rest of this answer.
        """
        try:
            while self._buffer and self._broken is None:
                self._moved.clear()
                if not self._moved.wait(STALLED_SECONDS):
                    self.drop()
        except BaseException:
            self.drop()
            raise
        if self._broken is not None:
            raise self._broken

    def drop(self) -> None:
        """Reset the connection: it ends for gunicorn as if the client had closed it."""
        self._break(BrokenPipeError(errno.EPIPE, "the client does not read its answer"))
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # Not both halves: the other one's shutdown sends FIN, and gunicorn's close then no RST.
            self._sock.shutdown(socket.SHUT_RD)

    def _break(self, reason: OSError) -> None:
        if self._broken is None:
            self._broken = reason
        # The answer counts as not taken, but its bytes are of no use to anybody.
        self._buffer.clear()
        self._moved.set()
        if self._writer is not None and self._writer is not gevent.getcurrent():
            self._writer.kill(block=False)

    def _write(self) -> None:
        """Send until nothing is left; `send` waits until the kernel takes something."""
        buffer = self._buffer
        try:
            while buffer:
                # A copy: what is being sent must not move when more is added behind it.
                sent = self._sock.send(bytes(buffer[:_PIECE_BYTES]))
                del buffer[:sent]
                self._moved.set()
        except OSError as error:
            self._break(error)
        finally:
            self._writer = None
