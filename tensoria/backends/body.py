"""The body of one engine answer, read as it comes and handed back clean or cut."""

from contextlib import suppress
from types import TracebackType
from typing import Self

from tensoria.backends.answer import Answer
from tensoria.backends.ending import current
from tensoria.backends.failures import CAUGHT, to_backend_error
from tensoria.backends.limits import Clock
from tensoria.errors import BackendError

# Go sends the closing chunk in a packet of its own, right behind the last line. Waiting for it
# keeps the connection; not waiting longer keeps the client's answer fast.
LAST_CHUNK_SECONDS = 0.05


class Body:
    """An open body. `read` until it returns b""; `close` in any case.

    The clock says how long each receive may take; `flowing` tells it of the first token. A body
    that is not kept closes its connection, whatever the engine says of it.
    """

    def __init__(self, answer: Answer, clock: Clock, *, keep: bool = True) -> None:
        self.status = answer.status
        self._answer = answer
        self._ending = current()
        self._clock = clock
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
            return self._answer.receive(self._clock.until())
        except CAUGHT as error:
            raise self._clock.named(to_backend_error(error)) from error

    @property
    def source(self) -> int | None:
        """Return the descriptor that tells when `poll` has something; None: ask `read`, and wait.

        Whoever has it waits there from now on: the limits run.
        """
        source = self._answer.source
        if source is not None:
            self._answer.expect(self._clock.expected())
        return source

    def poll(self) -> bytes | None:
        """Return what has come, without waiting: None for nothing yet; else as `read`."""
        try:
            data = self._answer.poll()
        except CAUGHT as error:
            raise self._clock.named(to_backend_error(error)) from error
        if data:
            self._answer.expect(self._clock.expected())
        return data

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
            if drain and self._keep:
                with suppress(*CAUGHT):
                    self._answer.await_end(LAST_CHUNK_SECONDS)
        finally:
            # Nothing below waits, so nothing can be thrown into it.
            self._closed = True
            self._ending.let_go()
            if self._keep:
                self._answer.finish()
            else:
                self._answer.give_up()
