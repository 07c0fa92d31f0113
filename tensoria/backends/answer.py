"""One answer on a connection: its head, and its body as far as it has come."""

import time
from collections.abc import Callable
from typing import Self

from urllib3 import HTTPResponse

from tensoria.backends.connection import RECEIVE_BYTES, Connection
from tensoria.backends.framing import Counted, Dechunker, FramingError
from tensoria.backends.head import Head, end_of

# 100 Continue, 103 Early Hints: nothing that an engine sends more than one of.
MOST_INFORMATIONAL = 8


class Unanswered(ConnectionResetError):
    """The connection ended before a single byte of an answer had come."""


class Answer:
    """An answer whose head has come. `receive` until b"", then `finish` or `give_up`, once."""

    def __init__(
        self, connection: Connection, head: Head, begun: bytes, keep: Callable[[Connection], None]
    ) -> None:
        self.status = head.status
        self._connection = connection
        self._framing = Dechunker() if head.chunked else Counted(head.length)
        # What of the body came with the head; behind an empty body it is nobody's.
        self._begun = begun
        self._keep = keep if head.keep and not (self._framing.finished and begun) else None

    @classmethod
    def of(cls, connection: Connection, by: float, keep: Callable[[Connection], None]) -> Self:
        """Return the answer once its head has come, all of it by that moment.

        `keep` gets the connection when the answer is over, if it can be used again. Raises
        Unanswered, another OSError or FramingError.
        """
        data = b""
        for _ in range(MOST_INFORMATIONAL):
            data, end = _whole_head(connection, data, by)
            head, data = Head.of(data[:end]), data[end:]
            if head.status >= 200:
                return cls(connection, head, data, keep)
        raise FramingError("no end of informational answers")

    def receive(self, by: float) -> bytes:
        """Return what the next receive brings of the body, b"" at its end.

        Raises TimeoutError when nothing of it came by that moment, another OSError or FramingError.
        """
        framing = self._framing
        while not framing.finished:
            if framing.broken:
                raise framing.broken
            data, self._begun = self._begun or self._connection.receive(by), b""
            payload = self._payload_of(data)
            if payload:
                return payload
            # An engine that sends nothing but framing, and is always ahead, is never waited for.
            if not framing.finished and by <= time.monotonic():
                raise TimeoutError
        return b""

    @property
    def source(self) -> int | None:
        """Return the descriptor to wait at for `poll`; None where `receive` has to be asked."""
        framing = self._framing
        if self._begun or framing.finished or framing.broken:
            return None
        return self._connection.source

    def expect(self, by: float) -> None:
        """Say by when something has to come for `poll`; if nothing does, that raises TimeoutError.

        Framing alone is nothing.
        """
        self._connection.expect(by)

    def poll(self) -> bytes | None:
        """Return what has come of the body, without waiting: None for nothing; else as `receive`.

        Called while there is a `source`.
        """
        framing = self._framing
        if framing.broken:
            raise framing.broken
        data = self._connection.poll()
        if data is None:
            return None
        payload = self._payload_of(data)
        if framing.broken:
            # Its payload comes first. The end of the connection tells that there is more to ask.
            self._connection.cut()
        return payload if payload or framing.finished else None

    def await_end(self, seconds: float) -> None:
        """Take what is there shortly, where the body is not at its end; raises as `receive`."""
        if not self._framing.finished:
            self._framing.feed(self._begun or self._connection.receive_shortly(seconds))
            self._begun = b""

    def _payload_of(self, data: bytes) -> bytes:
        if data:
            return self._framing.feed(data)
        if not self._framing.end():
            raise ConnectionResetError
        self._keep = None
        return b""

    def finish(self) -> None:
        """Give the connection back if the answer was read to its end, else close it."""
        if self._keep and self._framing.finished and not self._framing.excess:
            self._keep(self._connection)
        else:
            self._connection.close()

    def give_up(self) -> None:
        """Close the connection."""
        self._connection.close()


class Replayed:
    """A response of urllib3's, read as an `Answer` is: what a test puts in an engine's place."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self._response = response

    def receive(self, by: float) -> bytes:
        """See `Answer.receive`."""
        return self._response.read1(RECEIVE_BYTES)

    @property
    def source(self) -> None:
        """See `Answer.source`."""

    def await_end(self, seconds: float) -> None:
        """Nothing is waited for."""

    def finish(self) -> None:
        """See `Answer.finish`."""
        self._response.close()

    give_up = finish


def _whole_head(connection: Connection, data: bytes, by: float) -> tuple[bytes, int]:
    """Receive until a head is whole; return what came, and where the head ends in it."""
    end = end_of(data)
    while end is None:
        try:
            more = connection.receive(by)
        except ConnectionError as error:
            raise (error if data else Unanswered()) from error
        if not more:
            raise ConnectionResetError if data else Unanswered
        searched = len(data)
        data += more
        end = end_of(data, searched)
    return data, end
