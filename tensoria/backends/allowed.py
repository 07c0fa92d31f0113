"""A backend with some of its models: those that a key may use."""

from collections.abc import Collection

from tensoria.backends.base import (
    AnswerId,
    Backend,
    ChatStream,
    CompletionStream,
    Embedded,
    EngineStatus,
)
from tensoria.errors import ModelNotFound
from tensoria.translate.names import canonical
from tensoria.translate.traits import Traits
from tensoria.wire.completions import CompletionRequest
from tensoria.wire.openai import ChatRequest, EmbeddingRequest, Model


class AllowedModels:
    """A `Backend`. Every other model of it is one that does not exist, installed or not.

    `names` are canonical; an alias is allowed by its own name, or by that of its model.
    """

    def __init__(self, backend: Backend, names: Collection[str]) -> None:
        self._backend = backend
        self._names = names

    def traits(self, name: str | None) -> Traits:
        """See `Backend.traits`."""
        self._check(name)
        return self._backend.traits(name)

    def traits_of_engine(self) -> Traits:
        """See `Backend.traits_of_engine`."""
        return self._backend.traits_of_engine()

    def resolve(self, name: str | None, *, embeds: bool = False) -> str:
        """See `Backend.resolve`."""
        return self._check(name, embeds=embeds)

    def dry(self) -> "AllowedModels":
        """See `Backend.dry`."""
        return AllowedModels(self._backend.dry(), self._names)

    def chat(self, request: ChatRequest, answer: AnswerId) -> ChatStream:
        """See `Backend.chat`."""
        self._check(request.get("model"))
        return self._backend.chat(request, answer)

    def complete(self, request: CompletionRequest, answer: AnswerId) -> CompletionStream:
        """See `Backend.complete`."""
        self._check(request.get("model"))
        return self._backend.complete(request, answer)

    def embed(self, request: EmbeddingRequest) -> Embedded:
        """See `Backend.embed`."""
        self._check(request.get("model"), embeds=True)
        return self._backend.embed(request)

    def count(self, request: ChatRequest) -> int | None:
        """See `Backend.count`."""
        self._check(request.get("model"))
        return self._backend.count(request)

    def models(self) -> list[Model]:
        """See `Backend.models`."""
        return [model for model in self._backend.models() if self._lists(model)]

    def model(self, name: str) -> Model:
        """See `Backend.model`."""
        try:
            model = self._backend.model(name)
        except ModelNotFound:
            raise self._missing(name) from None
        if not self._lists(model):
            raise self._missing(name)
        return model

    def status(self) -> EngineStatus:
        """See `Backend.status`."""
        return self._backend.status()

    def _lists(self, model: Model) -> bool:
        names = (model["id"], model.get("alias_of", model["id"]))
        return any(canonical(name) in self._names for name in names)

    def _check(self, name: str | None, *, embeds: bool = False) -> str:
        """Return the engine's name of a model that is allowed, or raise ModelNotFound.

        In words that are the same whether the model is installed or not, and name no other one.
        """
        try:
            resolved = self._backend.resolve(name, embeds=embeds)
        except ModelNotFound:
            raise self._missing(name) from None
        if canonical(name or resolved) in self._names or canonical(resolved) in self._names:
            return resolved
        raise self._missing(name)

    def _missing(self, name: str | None) -> ModelNotFound:
        named = f"The model '{name[:100]}'" if name else "The default model"
        # OpenAI's own words.
        return ModelNotFound(f"{named} does not exist or you do not have access to it.")
