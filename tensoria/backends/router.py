"""A backend made of two: one engine that chats, and one that embeds.

llama.cpp's server has one model, which either chats or embeds. A chat costs nothing more than
without this: the other engine is looked at only when the first does not have the model.
"""

from contextlib import suppress
from dataclasses import replace

from tensoria.backends.base import (
    AnswerId,
    Backend,
    ChatStream,
    CompletionStream,
    Embedded,
    EngineStatus,
)
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.backends.status import Status, dead_ends
from tensoria.config import Settings
from tensoria.errors import BackendError, ModelNotFound, RequestError
from tensoria.translate.aliases import Aliases
from tensoria.translate.embeddings import does_not_chat
from tensoria.translate.names import canonical, not_found_message
from tensoria.translate.traits import Traits
from tensoria.wire.completions import CompletionRequest
from tensoria.wire.openai import ChatRequest, EmbeddingRequest, Model

_NAMED = "The embeddings engine (EMBEDDINGS_BASE_URL): "


class EmbeddingsRouter:
    """A `Backend`: the models of `embeds` embed, all else is asked of `chats`."""

    def __init__(self, chats: Backend, embeds: Backend, settings: Settings) -> None:
        self._chats = chats
        self._embeds = embeds
        self._settings = settings
        self._default_model = settings.default_model
        self._aliases = Aliases(settings.model_aliases)
        self._status = Status(self._fetch_status)

    def traits(self, name: str | None) -> Traits:
        """See `Backend.traits`."""
        for backend in (self._chats, self._embeds):
            with suppress(ModelNotFound):
                return backend.traits(name)
        raise self._missing(name)

    def traits_of_engine(self) -> Traits:
        """See `Backend.traits_of_engine`; the table is that of the engine that chats."""
        return self._chats.traits_of_engine()

    def resolve(self, name: str | None, *, embeds: bool = False) -> str:
        """See `Backend.resolve`; a model that both engines have is asked to embed at the second."""
        try:
            if embeds:
                with suppress(ModelNotFound):
                    return self._embeds.resolve(name, embeds=True)
            return self._chats.resolve(name, embeds=embeds)
        except ModelNotFound as error:
            raise (self._missing(name) if embeds else self._why_not(name)) from error

    def dry(self) -> "EmbeddingsRouter":
        """See `Backend.dry`."""
        return EmbeddingsRouter(self._chats.dry(), self._embeds.dry(), self._settings)

    def chat(self, request: ChatRequest, answer: AnswerId) -> ChatStream:
        """See `Backend.chat`."""
        try:
            return self._chats.chat(request, answer)
        except ModelNotFound as error:
            raise self._why_not(request.get("model")) from error

    def complete(self, request: CompletionRequest, answer: AnswerId) -> CompletionStream:
        """See `Backend.complete`."""
        try:
            return self._chats.complete(request, answer)
        except ModelNotFound as error:
            raise self._why_not(request.get("model")) from error

    def embed(self, request: EmbeddingRequest) -> Embedded:
        """See `Backend.embed`; a model of the other engine's is refused, or embeds, there."""
        with suppress(ModelNotFound):
            return self._embeds.embed(request)
        try:
            return self._chats.embed(request)
        except ModelNotFound as error:
            raise self._missing(request.get("model")) from error

    def count(self, request: ChatRequest) -> int | None:
        """See `Backend.count`."""
        try:
            return self._chats.count(request)
        except ModelNotFound as error:
            raise self._why_not(request.get("model")) from error

    def models(self) -> list[Model]:
        """See `Backend.models`; those that chat come first, and a name is listed once."""
        listed = self._chats.models()
        names = {canonical(model["id"]) for model in listed}
        return listed + [m for m in self._embeds.models() if canonical(m["id"]) not in names]

    def model(self, name: str) -> Model:
        """See `Backend.model`."""
        for backend in (self._chats, self._embeds):
            with suppress(ModelNotFound):
                return backend.model(name)
        raise self._missing(name)

    def status(self) -> EngineStatus:
        """See `Backend.status`; ready are both, or neither is."""
        return self._status.get()

    def _fetch_status(self) -> EngineStatus:
        """The second engine is known by its list, which is two seconds old at most: its `status`
        would warn that it does not have the default model.
        """
        status = self._chats.status()
        try:
            offered = self._embeds.models()
        except BackendError as error:
            raise type(error)(f"{_NAMED}{error.message}") from error
        warnings = [] if offered else [f"{_NAMED}it offers no model."]
        warnings += dead_ends(self._aliases, self.model)
        return replace(status, warnings=(*status.warnings, *warnings))

    def _why_not(self, name: str | None) -> RequestError:
        """Return the error for a chat with a model that the engine for chats does not have."""
        try:
            self._embeds.model(name or self._default_model)
        except ModelNotFound:
            return self._missing(name)
        return does_not_chat(name or self._default_model)

    def _missing(self, name: str | None) -> ModelNotFound:
        installed = [model["id"] for model in self.models()]
        asked = name or self._default_model
        message = not_found_message(self._aliases.meant(asked), installed)
        return ModelNotFound(self._aliases.explained(asked, message))


def with_embeddings(settings: Settings, base_url: str) -> EmbeddingsRouter:
    """Return a backend in front of the settings' engine and of the one at `base_url`."""
    embeds = OpenAIBackend(replace(settings, engine_base_url=base_url), alone=False)
    return EmbeddingsRouter(OpenAIBackend(settings, alone=False), embeds, settings)
