"""An engine that speaks OpenAI (llama.cpp's server, vLLM, LiteLLM) as a backend.

What llama.cpp's server does differently was found by running it (build 11549): it takes any model
name, ends a request only while it streams, and holds one of its HTTP threads for each open stream.
After a stream it often closes the connection without a word: each stream has one of its own.
"""

from copy import copy
from typing import Any

from tensoria.backends.base import (
    Adjusting,
    AnswerId,
    ChatStream,
    Embedded,
    EngineStatus,
    Slots,
)
from tensoria.backends.compose import compose
from tensoria.backends.fingerprints import Fingerprints
from tensoria.backends.framing import EventDecoder
from tensoria.backends.limits import Total, limits_of
from tensoria.backends.llama_cpp import LlamaCppProps, LlamaCppThreads
from tensoria.backends.llama_cpp_count import LlamaCppCounter
from tensoria.backends.openai_embeddings import embed, how_to_get
from tensoria.backends.openai_models import OpenAIModels, is_llama_cpp
from tensoria.backends.prompts import PromptStream, each_run
from tensoria.backends.status import Status, dead_ends, hidden
from tensoria.backends.stream import MAX_ERROR_BYTES, MAX_LINE_BYTES, EngineStream
from tensoria.backends.transport import AnyTransport, DryTransport, Transport
from tensoria.config import Settings
from tensoria.errors import ModelNotFound
from tensoria.translate.chat import token_limit, wants_usage
from tensoria.translate.chat_logprobs import from_openai
from tensoria.translate.chat_passthrough import to_openai
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import of_prompt
from tensoria.translate.completion_logprobs import from_openai_text
from tensoria.translate.completions import echoed
from tensoria.translate.completions_passthrough import to_openai_completion
from tensoria.translate.errors import to_error
from tensoria.translate.fingerprint import to_identity
from tensoria.translate.reasoning import to_template_levels
from tensoria.translate.traits import Traits
from tensoria.wire.completions import CompletionRequest, TextChunk
from tensoria.wire.generation import Generation
from tensoria.wire.openai import ChatRequest, Chunk, EmbeddingRequest, Model

CANNOT_CUT = (
    "CONTEXT_OVERFLOW=truncate has no effect: an engine that speaks OpenAI cannot be asked to cut "
    "a prompt, so one that is too long is refused."
)


class OpenAIBackend:
    """A `Backend` in front of one server that speaks OpenAI's API.

    One that is not `alone` leaves it to the others what an alias may stand for.
    """

    def __init__(self, settings: Settings, *, alone: bool = True) -> None:
        self._settings = settings
        self._alone = alone
        self._transport: AnyTransport = Transport(
            settings.engine_base_url,
            concurrency=settings.max_concurrency,
            api_key=settings.engine_api_key,
            connect_seconds=settings.connect_timeout_seconds,
        )
        self._models = OpenAIModels(self._transport, settings)
        self._props = LlamaCppProps(settings)
        self._status = Status(self._fetch_status)
        self._fingerprints = Fingerprints(settings)
        self._threads = LlamaCppThreads()
        self._counter = LlamaCppCounter(settings, self._threads)

    def traits(self, name: str | None) -> Traits:
        """See `Backend.traits`; of what its models can do only llama.cpp tells a little."""
        entry = self._models.resolve(name)
        if is_llama_cpp(entry):
            return Traits("llamacpp", entry["id"], denied=self._props.denied())
        return Traits("openai", entry["id"])

    def traits_of_engine(self) -> Traits:
        """See `Backend.traits_of_engine`; only its models tell that an engine is llama.cpp's."""
        entries = self._models.listed()
        known = bool(entries) and is_llama_cpp(entries[0])
        return Traits("llamacpp" if known else "openai", "")

    def resolve(self, name: str | None, *, embeds: bool = False) -> str:
        """See `Backend.resolve`."""
        how = how_to_get(self._settings) if embeds else ""
        return str(self._models.resolve(name, how)["id"])

    def dry(self) -> "OpenAIBackend":
        """See `Backend.dry`."""
        dry = copy(self)
        dry._transport = DryTransport(self._transport)
        return dry

    def chat(self, request: ChatRequest, answer: AnswerId) -> ChatStream:
        """See `Backend.chat`."""
        return compose(
            self._open_chat,
            request,
            answer.begun(self._settings.total_timeout_seconds),
            self._settings,
            lambda: self.traits(request.get("model")),
        )

    def _open_chat(self, request: ChatRequest, answer: AnswerId) -> EngineStream[Chunk]:
        entry = self._models.resolve(request.get("model"))
        frame = self._frame(request, answer, entry)
        model, total = entry["id"], answer.total
        if not is_llama_cpp(entry):
            return self._open(request, frame, model, total, progress=False)
        return self._threads.holding(
            lambda: self._open(request, frame, model, total, progress=True)
        )

    def complete(self, request: CompletionRequest, answer: AnswerId) -> PromptStream:
        """See `Backend.complete`."""
        runs = each_run(request, self._settings.max_choices)
        entry = self._models.resolve(request.get("model"))
        frame = self._frame(request, answer, entry)
        total = Total.of(self._settings.total_timeout_seconds)

        def open_one(index: int) -> EngineStream[TextChunk]:
            return self._continue(runs[index], index, frame, entry, total)

        def open_all(slots: Slots) -> PromptStream:
            return PromptStream(open_one, len(runs), frame, slots, choices=request.get("n", 1))

        if not is_llama_cpp(entry):
            return open_all(answer.slots)
        return self._threads.holding(lambda: open_all(self._threads.beside(answer.slots)))

    def embed(self, request: EmbeddingRequest) -> Embedded:
        """See `Backend.embed`."""
        entry = self._models.resolve(request.get("model"), how_to_get(self._settings))
        if not is_llama_cpp(entry):
            return embed(self._transport, self._settings, entry["id"], request)
        with self._threads.one():
            return embed(self._transport, self._settings, entry["id"], request)

    def count(self, request: ChatRequest) -> int | None:
        """See `Backend.count`; only llama.cpp's server shows the prompt that it would make."""
        return self._counter.count(request, self._models.resolve(request.get("model")))

    def models(self) -> list[Model]:
        """See `Backend.models`."""
        models = self._models
        return models.aliases.added_to(
            {name: models.to_model(entry) for name, entry in models.by_name().items()}
        )

    def model(self, name: str) -> Model:
        """See `Backend.model`."""
        model = self._models.to_model(self._models.resolve(name))
        return self._models.aliases.named(name, model)

    def status(self) -> EngineStatus:
        """See `Backend.status`."""
        return self._status.get()

    def _frame(self, request: Generation, answer: AnswerId, entry: dict[str, Any]) -> Frame:
        return Frame(
            id=answer.id,
            created=answer.created,
            model=request.get("model") or entry["id"],
            fingerprint=self._fingerprints.of(to_identity(entry)),
            include_usage=wants_usage(request),
        )

    def _open(
        self, request: ChatRequest, frame: Frame, model: str, total: Total, *, progress: bool
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
            default_effort=settings.default_reasoning_effort,
        )
        if progress:
            adjusted |= to_template_levels(request)
        limits = limits_of(settings, total)
        with Adjusting(adjusted):
            body = self._transport.open("/chat/completions", payload, limits, keep=not progress)
        if body.status != 200:
            with body:
                raise to_error(body.status, body.read_all(MAX_ERROR_BYTES))
        return EngineStream(
            body,
            EventDecoder(MAX_LINE_BYTES),
            from_openai(request)(frame),
            model=model,
            adjusted=adjusted,
        )

    def _continue(
        self,
        request: CompletionRequest,
        index: int,
        frame: Frame,
        entry: dict[str, Any],
        total: Total,
    ) -> EngineStream[TextChunk]:
        settings, model, prompt = self._settings, entry["id"], request["prompt"][0]
        max_tokens, adjusted = token_limit(
            request, default=settings.max_tokens, ceiling=settings.max_tokens_limit
        )
        payload = to_openai_completion(
            request,
            prompt,
            model=model,
            max_tokens=max_tokens,
            temperature=settings.default_temperature,
            llama_cpp=is_llama_cpp(entry),
        )
        limits, keep = limits_of(settings, total), not is_llama_cpp(entry)
        with Adjusting(adjusted):
            body = self._transport.open("/completions", payload, limits, keep=keep)
        if body.status != 200:
            with body:
                raise of_prompt(to_error(body.status, body.read_all(MAX_ERROR_BYTES)))
        translator = from_openai_text(request)(frame, index=index, echo=echoed(request, prompt))
        decoder = EventDecoder(MAX_LINE_BYTES)
        return EngineStream(body, decoder, translator, model=model, adjusted=adjusted)

    def _fetch_status(self) -> EngineStatus:
        models = self._models
        listed = [entry["id"] for entry in models.listed()]
        warnings = hidden(models.aliases, listed)
        if self._alone:
            warnings += dead_ends(models.aliases, models.resolve)
        try:
            models.resolve(None)
        except ModelNotFound as error:
            told = f"DEFAULT_MODEL: {error.message}" if listed else "The engine offers no model."
            warnings.insert(0, told)
        if self._settings.context_overflow == "truncate":
            warnings.append(CANNOT_CUT)
        return EngineStatus("openai", None, tuple(warnings))
