"""The body of one engine answer, read as it comes and handed back clean or cut.

urllib3 and http.client give one HTTP chunk a call. This reads below them, from the buffered file
that http.client parsed the head from, so that one call takes all that one receive brought.
"""

from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import requests

from tensoria.backends.failures import CAUGHT, to_backend_error
from tensoria.backends.framing import Dechunker
from tensoria.backends.limits import Clock, Limits
from tensoria.errors import BackendError

RECEIVE_BYTES = 64 * 1024
# Go sends the closing chunk in a packet of its own, right behind the last line. Waiting for it
# keeps the connection; not waiting longer keeps the client's answer fast.
LAST_CHUNK_SECONDS = 0.05
_LAST_CHUNK = Limits(LAST_CHUNK_SECONDS, LAST_CHUNK_SECONDS)


class Body:
    """An open body. `read` until it returns b""; `close` in any case.

    The clock says how long each receive may take; `flowing` tells it of the first token.
    """

    def __init__(self, response: requests.Response, clock: Clock, *, keep: bool = True) -> None:
        self.status = response.status_code
        self._response = response
        # The attribute is not in urllib3's documentation; requests relies on it for cookies.
        self._http: Any = response.raw._original_response
        self._dechunker = Dechunker() if self._http.chunked else None
        # Below the file, because the connection has let go of its socket when the engine asked to
        # close after this answer.
        self._sock = self._http.fp.raw._sock if self._http.fp is not None else None
        self._clock = clock
        self._timeout: float | None = None
        self._keep = keep
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def flowing(self) -> None:
        """Go from the limit for the first token to the limit between receives."""
        self._clock.flowing()

    def read(self) -> bytes:
        """Return what the next receive brings, or b"" at the end of a whole body.

        Raises BackendTimeout when a limit passes, BackendError when the body is cut.
        """
        try:
            return self._read_chunked() if self._dechunker else self._read_plain()
        except CAUGHT as error:
            raise self._clock.named(to_backend_error(error)) from error

    def read_all(self, max_bytes: int) -> bytes:
        """Return the rest of the body, or raise BackendError when it is longer than that."""
        parts: list[bytes] = []
        size = 0
        while data := self.read():
            parts.append(data)
            size += len(data)
            if size > max_bytes:
                raise BackendError("The engine's answer is too long.")
        return b"".join(parts)

    def close(self, *, drain: bool = False) -> None:
        """Give the connection back if the body was read to its end and it is kept, else cut it.

        `drain` says that nothing but the end of the framing is missing, and waits for it shortly.
        """
        if self._closed:
            return
        try:
            if drain and self._keep and not self._at_end():
                self._clock = Clock(_LAST_CHUNK)
                with suppress(BackendError):
                    self.read()
        finally:
            # Nothing below waits, so nothing can be thrown into it.
            self._closed = True
            if self._keep and self._at_end():
                self._http.close()
                self._response.raw.release_conn()
            else:
                self._response.close()

    def _read_chunked(self) -> bytes:
        dechunker = self._dechunker
        assert dechunker is not None  # noqa: S101  # says it to mypy; `read` has looked
        while not dechunker.finished:
            if dechunker.broken:
                raise dechunker.broken
            self._keep_limits()
            data = self._http.fp.read1(RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError
            payload = dechunker.feed(data)
            if payload:
                return payload
        return b""

    def _read_plain(self) -> bytes:
        self._keep_limits()
        data: bytes = self._http.read1(RECEIVE_BYTES)
        if not data and self._http.length:
            raise ConnectionResetError
        return data

    def _at_end(self) -> bool:
        if self._dechunker:
            return self._dechunker.finished and not self._dechunker.excess
        return bool(self._http.isclosed() or self._http.length == 0)

    def _keep_limits(self) -> None:
        """Called before each receive: one may bring nothing but a byte of framing."""
        seconds = self._clock.left()
        if seconds != self._timeout and self._sock is not None:
            self._timeout = seconds
            self._sock.settimeout(seconds)
