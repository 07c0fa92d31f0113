"""Ollama as a backend, through its native API."""

from contextlib import suppress
from copy import copy

from tensoria.backends import overflow
from tensoria.backends.base import Adjusting, AnswerId, ChatStream, Embedded, EngineStatus
from tensoria.backends.body import Body
from tensoria.backends.compose import compose
from tensoria.backends.fingerprints import Fingerprints
from tensoria.backends.framing import LineDecoder
from tensoria.backends.limits import Limits, Total, limits_of
from tensoria.backends.ollama_client import OllamaClient
from tensoria.backends.ollama_embeddings import embed
from tensoria.backends.ollama_listing import OllamaListing
from tensoria.backends.ollama_loading import Loading, NoLoading, OllamaLoading
from tensoria.backends.ollama_models import OllamaModels
from tensoria.backends.ollama_status import fetch_status
from tensoria.backends.ollama_wedged import Wedged
from tensoria.backends.prompts import PromptStream, each_run
from tensoria.backends.recent import Recent
from tensoria.backends.status import Status
from tensoria.backends.stream import MAX_ERROR_BYTES, MAX_LINE_BYTES, EngineStream
from tensoria.backends.transport import DryTransport, Transport
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.metrics.base import Metrics, NullMetrics
from tensoria.translate.chat import to_ollama, token_limit, wants_usage
from tensoria.translate.chat_logprobs import to_chunks
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import of_prompt
from tensoria.translate.completion_logprobs import to_text_chunks
from tensoria.translate.completions import echoed, to_generate
from tensoria.translate.embeddings import can_embed, cannot_embed
from tensoria.translate.errors import to_error
from tensoria.translate.reasoning import to_think
from tensoria.translate.traits import Traits, to_version
from tensoria.wire import ollama
from tensoria.wire.completions import CompletionRequest, TextChunk
from tensoria.wire.generation import Generation
from tensoria.wire.openai import ChatRequest, Chunk, EmbeddingRequest, Model

# An Ollama that is replaced by another release is away for a while.
VERSION_MAX_AGE_SECONDS = 15.0


class OllamaBackend:
    """A `Backend` in front of one Ollama."""

    def __init__(self, settings: Settings, metrics: Metrics | None = None) -> None:
        metrics = metrics or NullMetrics()
        self._transport = Transport(
            settings.engine_base_url,
            concurrency=settings.max_concurrency,
            connect_seconds=settings.connect_timeout_seconds,
        )
        self._settings = settings
        self._client = OllamaClient(self._transport)
        self._models = OllamaModels(self._client, settings)
        self._listing = OllamaListing(self._models, settings)
        self._loading: Loading = OllamaLoading(self._client, self._models, settings, metrics)
        self.wedged = Wedged(self._client, self._models, metrics)
        self._status = Status(
            lambda: fetch_status(self._client, self._models, settings, self.wedged)
        )
        self._version = Recent(self._client.version, max_age_seconds=VERSION_MAX_AGE_SECONDS)
        self._fingerprints = Fingerprints(settings, self._version.get)

    def traits(self, name: str | None) -> Traits:
        """See `Backend.traits`."""
        entry = self._models.resolve(name)
        return Traits(
            kind="ollama",
            model=entry["name"],
            version=to_version(self._version.get()),
            capabilities=self._models.capabilities(entry),
            context_length=self._settings.context_length,
        )

    def traits_of_engine(self) -> Traits:
        """See `Backend.traits_of_engine`."""
        return Traits(kind="ollama", model="", version=to_version(self._version.get()))

    def resolve(self, name: str | None, *, embeds: bool = False) -> str:
        """See `Backend.resolve`."""
        return self._models.resolve(name)["name"]

    def dry(self) -> "OllamaBackend":
        """See `Backend.dry`."""
        dry = copy(self)
        dry._client = OllamaClient(DryTransport(self._transport))
        dry._loading = NoLoading()
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
        """The model is resolved first: an engine that is down is 503."""
        settings = self._settings
        entry = self._models.resolve(request.get("model"))
        self._loading.wait_for(entry, "chat", answer.total)
        max_tokens, adjusted = token_limit(
            request, default=settings.max_tokens, ceiling=self._most_tokens(entry["name"])
        )
        effort = settings.default_reasoning_effort
        think, thought = to_think(request, effort, lambda: self.traits(request.get("model")))
        payload = to_ollama(
            request,
            model=entry["name"],
            max_tokens=max_tokens,
            temperature=self._temperature(request, entry),
            keep_alive=settings.keep_alive,
            context_length=settings.context_length,
            version=to_version(self._version.get()) if "tools" in request else None,
            think=think,
        )
        frame = self._frame(request, answer, entry)
        limits = self._limits(entry, answer.total)
        with Adjusting(adjusted | thought):
            body, cut = overflow.sent(
                payload,
                lambda payload: self._client.chat(payload, limits),
                lambda body: self._refused(body, entry["name"]),
                may_cut=settings.context_overflow == "truncate",
            )
        translator = to_chunks(request)(frame, context=settings.context_length)
        return EngineStream(
            body,
            LineDecoder(MAX_LINE_BYTES),
            translator,
            model=entry["name"],
            adjusted=adjusted | cut | thought,
        )

    def complete(self, request: CompletionRequest, answer: AnswerId) -> PromptStream:
        """See `Backend.complete`."""
        runs = each_run(request, self._settings.max_choices)
        entry = self._models.resolve(request.get("model"))
        frame = self._frame(request, answer, entry)
        total = Total.of(self._settings.total_timeout_seconds)

        def open_one(index: int) -> EngineStream[TextChunk]:
            return self._continue(runs[index], index, frame, entry, total)

        return PromptStream(open_one, len(runs), frame, answer.slots, choices=request.get("n", 1))

    def embed(self, request: EmbeddingRequest) -> Embedded:
        """See `Backend.embed`."""
        entry = self._models.resolve(request.get("model"))
        if not can_embed(entry):
            raise cannot_embed(entry["name"])
        total = Total.of(self._settings.total_timeout_seconds)
        self._loading.wait_for(entry, "embed", total)
        limits = self._limits(entry, total)
        return embed(self._client, self._models, self._settings, entry, request, limits)

    def count(self, request: ChatRequest) -> int | None:
        """See `Backend.count`; Ollama counts what it has run, and nothing else."""
        return None

    def models(self) -> list[Model]:
        """See `Backend.models`."""
        return self._listing.all()

    def model(self, name: str) -> Model:
        """See `Backend.model`."""
        return self._listing.one(name)

    def status(self) -> EngineStatus:
        """See `Backend.status`."""
        return self._status.get()

    def _continue(
        self,
        request: CompletionRequest,
        index: int,
        frame: Frame,
        entry: ollama.ModelEntry,
        total: Total,
    ) -> EngineStream[TextChunk]:
        settings, model, prompt = self._settings, entry["name"], request["prompt"][0]
        self._loading.wait_for(entry, "generate", total)
        max_tokens, adjusted = token_limit(
            request, default=settings.max_tokens, ceiling=self._most_tokens(model)
        )
        payload = to_generate(
            request,
            prompt,
            model=model,
            max_tokens=max_tokens,
            temperature=self._temperature(request, entry),
            keep_alive=settings.keep_alive,
            context_length=settings.context_length,
        )
        limits = self._limits(entry, total)
        with Adjusting(adjusted):
            body, cut = overflow.sent(
                payload,
                lambda payload: self._client.generate(payload, limits),
                lambda body: of_prompt(self._refused(body, model)),
                # The headers of a stream leave with its first prompt, and nothing is cut untold.
                may_cut=settings.context_overflow == "truncate"
                and (index == 0 or not request.get("stream")),
            )
        translator = to_text_chunks(request)(
            frame, index=index, echo=echoed(request, prompt), context=settings.context_length
        )
        decoder = LineDecoder(MAX_LINE_BYTES)
        return EngineStream(body, decoder, translator, model=model, adjusted=adjusted | cut)

    def _temperature(self, request: Generation, entry: ollama.ModelEntry) -> float | None:
        """Return the gateway's default, or None where the client's or the model's own holds."""
        if "temperature" in request or self._models.about(entry).own_temperature:
            return None
        return self._settings.default_temperature

    def _most_tokens(self, model: str) -> int | None:
        settings = self._settings
        configured = settings.max_tokens_limit or settings.context_length
        return configured or self._models.context_in_use(model)

    def _limits(self, entry: ollama.ModelEntry, total: Total) -> Limits:
        return limits_of(self._settings, total, self.wedged.watch(entry))

    def _refused(self, body: Body, model: str) -> TensoriaError:
        with body:
            text = body.read_all(MAX_ERROR_BYTES)
            context = self._settings.context_length
            if body.status == 400 and context is None:
                # Asked only for the message: the refusal itself is known.
                with suppress(TensoriaError):
                    context = self._models.context_in_use(model, now=True)
            return to_error(body.status, text, context=context)

    def _frame(self, request: Generation, answer: AnswerId, entry: ollama.ModelEntry) -> Frame:
        return Frame(
            id=answer.id,
            created=answer.created,
            model=request.get("model") or entry["name"],
            fingerprint=self._fingerprints.of(entry.get("digest") or entry["name"]),
            include_usage=wants_usage(request),
        )
