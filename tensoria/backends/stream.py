"""An open answer of an engine, whichever dialect it speaks."""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, Self

from tensoria.backends.base import AnyChunk
from tensoria.backends.body import Body
from tensoria.backends.failures import to_backend_error
from tensoria.backends.framing import FramingError
from tensoria.errors import BackendError, TensoriaError
from tensoria.wire.openai import Timings, Usage

# One line holds one token, or a whole answer from an engine that did not stream.
MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_ERROR_BYTES = 1024 * 1024


class Decoder(Protocol):
    """Bytes to lines or events."""

    def feed(self, data: bytes) -> list[bytes]: ...

    def flush(self) -> list[bytes]: ...


class Translator(Protocol[AnyChunk]):
    """Lines or events to chunks; see `translate.chat.ToChunks` for its states."""

    finished: bool
    error: TensoriaError | None
    usage: Usage | None
    timings: Timings

    def feed(self, lines: Iterable[bytes]) -> list[AnyChunk]: ...


class EngineStream(Generic[AnyChunk]):
    """An `AnswerStream`: body, decoder and translator, one after the other."""

    def __init__(
        self,
        body: Body,
        decoder: Decoder,
        translator: Translator[AnyChunk],
        *,
        model: str,
        adjusted: dict[str, str],
    ) -> None:
        self.model = model
        self.adjusted = adjusted
        self._body = body
        self._decoder = decoder
        self._translator = translator
        self._flows = False
        # What `poll` left for `next`.
        self._held: list[AnyChunk] | None = None
        # What the opener wants done once, after the connection is given back.
        self.on_close: Callable[[], None] | None = None

    @property
    def finished(self) -> bool:
        return self._translator.finished

    @property
    def usage(self) -> Usage | None:
        return self._translator.usage

    @property
    def timings(self) -> Timings:
        return self._translator.timings

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[AnyChunk]:
        """Return the chunks of the next receive; what came before an error comes first."""
        if self._held is not None:
            chunks, self._held = self._held, None
            return chunks
        translator = self._translator
        if translator.finished:
            raise StopIteration
        if translator.error:
            raise translator.error
        return self._chunks_of(self._body.read())

    @property
    def source(self) -> int | None:
        """Return the descriptor that tells when `poll` has something; None: ask `next`."""
        over = self._translator.finished or self._translator.error
        return None if over else self._body.source

    def poll(self) -> list[AnyChunk] | None:
        """Return the chunks of what has come, without waiting; raises as `next`.

        None says that the rest is to be asked for by `next`, and is there.
        """
        data = self._body.poll()
        if data is None:
            return []
        chunks = self._chunks_of(data)
        if self._translator.finished or self._translator.error:
            self._held = chunks
            return None
        return chunks

    def close(self) -> None:
        on_close, self.on_close = self.on_close, None
        try:
            self._body.close(drain=self._translator.finished)
        finally:
            if on_close:
                on_close()

    def _chunks_of(self, data: bytes) -> list[AnyChunk]:
        translator = self._translator
        chunks = translator.feed(self._lines(data))
        if not data and not translator.finished and not translator.error:
            translator.error = BackendError("The engine ended the answer in the middle.")
        if not chunks:
            if translator.error:
                raise translator.error
        elif not self._flows:
            self._flows = True
            self._body.flowing()
        return chunks

    def _lines(self, data: bytes) -> list[bytes]:
        try:
            return self._decoder.feed(data) if data else self._decoder.flush()
        except FramingError as error:
            raise to_backend_error(error) from error
