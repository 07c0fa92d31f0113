"""What is special about llama.cpp: what it tells beside OpenAI's paths, and its threads."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import orjson

from tensoria.backends.base import Slot, Slots
from tensoria.backends.ollama_client import CONTROL_SECONDS
from tensoria.backends.prompts import PromptStream
from tensoria.backends.recent import Recent
from tensoria.backends.stream import EngineStream
from tensoria.backends.transport import Transport
from tensoria.config import Settings
from tensoria.errors import BackendOverloaded, TensoriaError
from tensoria.translate.models import denied_by_props
from tensoria.wire.openai import Chunk

# The embedded child has 64 HTTP threads; a full house would leave none for its own /health.
MAX_STREAMS = 48
AnyStream = TypeVar("AnyStream", EngineStream[Chunk], PromptStream)

# A server that is replaced by one with another model is away for a while.
MAX_AGE_SECONDS = 15.0


class LlamaCppProps:
    """GET /props, as of at most fifteen seconds ago; it stands above the /v1 of the others."""

    def __init__(self, settings: Settings) -> None:
        self._transport = Transport(
            settings.engine_base_url.removesuffix("/v1"),
            concurrency=1,
            api_key=settings.engine_api_key,
        )
        self._denied = Recent(self._fetch, max_age_seconds=MAX_AGE_SECONDS)

    def denied(self) -> frozenset[str]:
        """Return the capabilities (Ollama's words) that the model is told not to have.

        A server that tells nothing denies nothing: the chat itself will say what is wrong.
        """
        return self._denied.get()

    def _fetch(self) -> frozenset[str]:
        try:
            status, body = self._transport.json("GET", "/props", seconds=CONTROL_SECONDS)
            return denied_by_props(orjson.loads(body)) if status == 200 else frozenset()
        except (TensoriaError, orjson.JSONDecodeError):
            return frozenset()


class LlamaCppThreads:
    """The HTTP threads of one llama.cpp, of which each open answer holds one."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(MAX_STREAMS)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a thread for a while, or raise BackendOverloaded."""
        self._take()
        try:
            yield
        finally:
            self._free.release()

    def holding(self, open_stream: Callable[[], AnyStream]) -> AnyStream:
        """Open a stream that gives its thread back when it is closed."""
        self._take()
        try:
            stream = open_stream()
        except BaseException:
            self._free.release()
            raise
        stream.on_close = self._free.release
        return stream

    def beside(self, slots: Slots) -> "SlotsWithThreads":
        """Return slots that each come with a thread."""
        return SlotsWithThreads(slots, self._free)

    def _take(self) -> None:
        if not self._free.acquire(blocking=False):
            raise BackendOverloaded("The engine is busy: all of its connections are in use.")


class SlotsWithThreads:
    """The `Slots` of an answer whose first run has a thread: in a full house it goes on alone."""

    def __init__(self, slots: Slots, free: threading.BoundedSemaphore) -> None:
        self._slots = slots
        self._free = free

    def another(self) -> "SlotWithThread | None":
        """See `Slots.another`."""
        if not self._free.acquire(blocking=False):
            return None
        slot = self._slots.another()
        if slot is None:
            self._free.release()
            return None
        return SlotWithThread(slot, self._free)


class SlotWithThread:
    """A `Slot`, and the thread that a run in it holds."""

    def __init__(self, slot: Slot, free: threading.BoundedSemaphore) -> None:
        self._slot = slot
        self._free: threading.BoundedSemaphore | None = free

    def close(self) -> None:
        """See `Slot.close`."""
        free, self._free = self._free, None
        if free is not None:
            free.release()
        self._slot.close()
