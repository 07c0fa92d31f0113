"""An engine that speaks OpenAI (llama.cpp's server, vLLM, LiteLLM) as a backend.

What llama.cpp's server does differently was found by running it (build 11549): it takes any model
name, ends a request only while it streams, and holds one of its HTTP threads for each open stream.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import orjson

from tensoria.backends.base import AnswerId, Embedded, EngineStatus
from tensoria.backends.framing import EventDecoder
from tensoria.backends.ollama_client import CONTROL_SECONDS
from tensoria.backends.ollama_models import MAX_AGE_ON_A_MISS_SECONDS, MAX_AGE_SECONDS
from tensoria.backends.openai_embeddings import embed
from tensoria.backends.prompts import PromptStream
from tensoria.backends.recent import Recent
from tensoria.backends.stream import MAX_ERROR_BYTES, MAX_LINE_BYTES, EngineStream
from tensoria.backends.transport import Transport
from tensoria.config import Settings
from tensoria.errors import (
    BackendError,
    BackendOverloaded,
    ModelNotFound,
    RequestError,
    TensoriaError,
)
from tensoria.translate.chat import token_limit, wants_usage
from tensoria.translate.chat_passthrough import FromOpenAI, to_openai
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import of_prompt
from tensoria.translate.completions import echoed
from tensoria.translate.completions_passthrough import FromOpenAIText, to_openai_completion
from tensoria.translate.errors import to_error
from tensoria.translate.models import from_openai
from tensoria.translate.names import canonical, not_found_message
from tensoria.wire.completions import CompletionRequest, TextChunk
from tensoria.wire.openai import ChatRequest, Chunk, EmbeddingRequest, Model

LLAMA_CPP = "llamacpp"
# The embedded child has 64 HTTP threads; a full house would leave none for its own /health.
LLAMA_CPP_MAX_STREAMS = 48

AnyStream = TypeVar("AnyStream", EngineStream[Chunk], PromptStream)


class OpenAIBackend:
    """A `Backend` in front of one server that speaks OpenAI's API."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._transport = Transport(
            settings.engine_base_url,
            concurrency=settings.max_concurrency,
            api_key=settings.engine_api_key,
        )
        self._entries = Recent(self._fetch_entries, max_age_seconds=MAX_AGE_SECONDS)
        self._status = Recent(self._fetch_status, max_age_seconds=MAX_AGE_SECONDS)
        self._first_seen: dict[str, int] = {}
        self._llama_cpp_streams = threading.BoundedSemaphore(LLAMA_CPP_MAX_STREAMS)

    def chat(self, request: ChatRequest, answer: AnswerId) -> EngineStream[Chunk]:
        """See `Backend.chat`."""
        entry = self._resolve(request.get("model"))
        return self._holding_a_thread(
            entry, lambda: self._open(request, answer, entry["id"], progress=_is_llama_cpp(entry))
        )

    def complete(self, request: CompletionRequest, answer: AnswerId) -> PromptStream:
        """See `Backend.complete`."""
        entry = self._resolve(request.get("model"))
        frame = Frame(
            id=answer.id,
            created=answer.created,
            model=request.get("model") or entry["id"],
            include_usage=wants_usage(request),
        )

        def open_one(index: int) -> EngineStream[TextChunk]:
            return self._continue(request, index, frame, entry)

        return self._holding_a_thread(
            entry, lambda: PromptStream(open_one, len(request["prompt"]), frame)
        )

    def embed(self, request: EmbeddingRequest) -> Embedded:
        """See `Backend.embed`."""
        entry = self._resolve(request.get("model"))
        return embed(self._transport, self._settings, entry["id"], request)

    def models(self) -> list[Model]:
        """See `Backend.models`."""
        return [self._to_model(entry) for entry in self._entries.get().values()]

    def model(self, name: str) -> Model:
        """See `Backend.model`."""
        return self._to_model(self._resolve(name))

    def status(self) -> EngineStatus:
        """See `Backend.status`."""
        status = self._status.get()
        if isinstance(status, TensoriaError):
            raise status
        return status

    def _holding_a_thread(
        self, entry: dict[str, Any], open_stream: Callable[[], AnyStream]
    ) -> AnyStream:
        """Open a stream while llama.cpp has a thread for it; its closing gives the thread back."""
        if not _is_llama_cpp(entry):
            return open_stream()
        if not self._llama_cpp_streams.acquire(blocking=False):
            raise BackendOverloaded("The engine is busy: all of its connections are in use.")
        try:
            stream = open_stream()
        except BaseException:
            self._llama_cpp_streams.release()
            raise
        stream.on_close = self._llama_cpp_streams.release
        return stream

    def _open(
        self, request: ChatRequest, answer: AnswerId, model: str, *, progress: bool
    ) -> EngineStream[Chunk]:
        settings = self._settings
        max_tokens, adjusted = token_limit(
            request, default=settings.max_tokens, ceiling=settings.max_tokens_limit
        )
        payload = to_openai(
            request,
            model=model,
            max_tokens=max_tokens,
            temperature=settings.default_temperature,
            progress=progress,
        )
        body = self._transport.open(
            "/chat/completions",
            payload,
            first_seconds=settings.timeout_seconds,
            idle_seconds=settings.stream_idle_timeout_seconds,
        )
        if body.status != 200:
            with body:
                raise to_error(body.status, body.read_all(MAX_ERROR_BYTES))
        frame = Frame(
            id=answer.id,
            created=answer.created,
            model=request.get("model") or model,
            include_usage=wants_usage(request),
        )
        return EngineStream(
            body,
            EventDecoder(MAX_LINE_BYTES),
            FromOpenAI(frame),
            model=model,
            adjusted=adjusted,
        )

    def _continue(
        self, request: CompletionRequest, index: int, frame: Frame, entry: dict[str, Any]
    ) -> EngineStream[TextChunk]:
        settings, model, prompt = self._settings, entry["id"], request["prompt"][index]
        max_tokens, adjusted = token_limit(
            request, default=settings.max_tokens, ceiling=settings.max_tokens_limit
        )
        payload = to_openai_completion(
            request,
            prompt,
            model=model,
            max_tokens=max_tokens,
            temperature=settings.default_temperature,
            llama_cpp=_is_llama_cpp(entry),
        )
        body = self._transport.open(
            "/completions",
            payload,
            first_seconds=settings.timeout_seconds,
            idle_seconds=settings.stream_idle_timeout_seconds,
        )
        if body.status != 200:
            with body:
                raise of_prompt(to_error(body.status, body.read_all(MAX_ERROR_BYTES)))
        translator = FromOpenAIText(frame, index=index, echo=echoed(request, prompt))
        decoder = EventDecoder(MAX_LINE_BYTES)
        return EngineStream(body, decoder, translator, model=model, adjusted=adjusted)

    def _resolve(self, name: str | None) -> dict[str, Any]:
        """The engine would take any name and echo it, so the name is checked here."""
        wanted = name or self._settings.default_model
        entry = self._entries.get().get(canonical(wanted))
        if entry is None:
            fresh = time.monotonic() - MAX_AGE_ON_A_MISS_SECONDS
            entry = self._entries.newer_than(fresh).get(canonical(wanted))
        if entry is None:
            installed = [entry["id"] for entry in self._entries.get().values()]
            raise ModelNotFound(not_found_message(wanted, installed))
        return entry

    def _to_model(self, entry: dict[str, Any]) -> Model:
        told = entry.get("created")
        date = int(told) if isinstance(told, int | float) else 0
        if _is_llama_cpp(entry):
            date = int(time.time())
        created = self._first_seen.setdefault(entry["id"], date)
        return from_openai(entry, created=created, owned_by=self._settings.engine_label)

    def _fetch_entries(self) -> dict[str, dict[str, Any]]:
        status, body = self._transport.json("GET", "/models", seconds=CONTROL_SECONDS)
        if status != 200:
            error = to_error(status, body)
            if isinstance(error, RequestError):
                # A list has no model that could be missing: the address is wrong.
                raise BackendError("The engine does not serve /models: check ENGINE_BASE_URL.")
            raise error
        try:
            answer = orjson.loads(body)
            entries = answer["data"]
            return {canonical(entry["id"]): entry for entry in entries}
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
            raise BackendError("The engine's list of models cannot be read.") from error

    def _fetch_status(self) -> EngineStatus | TensoriaError:
        try:
            entries = self._entries.get()
            warnings = [] if entries else ["The engine offers no model."]
            if entries:
                self._resolve(None)
        except ModelNotFound as error:
            warnings = [f"DEFAULT_MODEL: {error.message}"]
        except TensoriaError as error:
            return error
        return EngineStatus("openai", None, tuple(warnings))


def _is_llama_cpp(entry: dict[str, Any]) -> bool:
    return entry.get("owned_by") == LLAMA_CPP
