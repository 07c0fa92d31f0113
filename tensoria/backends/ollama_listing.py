"""GET /v1/models for an Ollama: what is installed, and what is known of it without asking much."""

import time
from contextlib import suppress

from tensoria.backends.ollama_models import OllamaModels
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.translate.models import to_facts, to_model
from tensoria.translate.names import canonical
from tensoria.wire import ollama
from tensoria.wire.openai import Model

# What a model's own file says is asked once for each digest. A list that would have to ask for
# longer goes out without the rest, and the next one asks on.
PATIENCE_SECONDS = 1.0


class OllamaListing:
    """The models of one Ollama as clients see them; what cannot be learnt is left out."""

    def __init__(self, models: OllamaModels, settings: Settings) -> None:
        self._models = models
        self._settings = settings

    def all(self) -> list[Model]:
        """Return what is installed and its aliases, newest first."""
        found = self._described(self._models.installed())
        listed = self._models.aliases.added_to(found)
        return sorted(listed, key=lambda model: model["created"], reverse=True)

    def one(self, name: str) -> Model:
        """Return one model, or raise ModelNotFound."""
        entry = self._models.resolve(name)
        (model,) = self._described([entry]).values()
        return self._models.aliases.named(name, model)

    def _described(self, entries: list[ollama.ModelEntry]) -> dict[str, Model]:
        """Return the models by their canonical names."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        loaded: dict[str, ollama.RunningModel] = {}
        with suppress(TensoriaError):
            loaded = self._models.loaded()
        found = {}
        for entry in entries:
            name = canonical(entry["name"])
            running = loaded.get(name)
            facts = to_facts(
                entry,
                self._models.about_by(deadline, entry),
                configured=self._settings.context_length,
                in_use=running.get("context_length") if running else None,
            )
            found[name] = to_model(entry, facts)
        return found
