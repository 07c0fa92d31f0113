"""The head of an engine's answer, read within one limit for all of it."""

import http.client
import time
from typing import Any


class Unanswered(ConnectionResetError):
    """The connection ended before a single byte of an answer had come."""


class Head(http.client.HTTPResponse):
    """http.client's response, whose head has to be whole by a moment.

    A socket's timeout holds for each receive, so an engine that sends its head byte by byte would
    have it anew with each.
    """

    def __init__(self, *args: Any, deadline: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline = deadline  # of time.monotonic
        self._file: Any = self.fp.raw
        self._begun = False

    def begin(self) -> None:
        """Called by http.client: read status and headers; may raise Unanswered."""
        # On this one file and while the head is read only: the body's receives cost nothing more.
        self._file.readinto = self._receive
        try:
            super().begin()
        except ConnectionError as error:
            if self._begun:
                raise
            raise Unanswered from error
        finally:
            del self._file.readinto

    def _receive(self, buffer: Any) -> int | None:
        if self._begun:
            left = self._deadline - time.monotonic()
            self._file._sock.settimeout(max(0.001, left))
        count: int | None = type(self._file).readinto(self._file, buffer)
        self._begun = self._begun or bool(count)
        return count
