"""Which models an Ollama has: names, what is loaded, and what a model says of itself.

Everything here is at most two seconds old, so that a request costs no question of its own.
"""

import time
from contextlib import suppress

from tensoria.backends.ollama_client import CONTROL_SECONDS, OllamaClient
from tensoria.backends.recent import Recent
from tensoria.config import Settings
from tensoria.errors import InvalidRequest, ModelNotFound, TensoriaError
from tensoria.translate.aliases import Aliases
from tensoria.translate.models import About, to_about
from tensoria.translate.names import canonical, is_cloud, not_found_message
from tensoria.wire import ollama

MAX_AGE_SECONDS = 2.0
# A model pulled a moment ago is found; a client that repeats a wrong name does not flood Ollama.
MAX_AGE_ON_A_MISS_SECONDS = 0.5


class OllamaModels:
    """The models of one Ollama; shared by all threads of a worker."""

    def __init__(self, client: OllamaClient, settings: Settings) -> None:
        self._client = client
        self._default = settings.default_model
        self._allow_cloud = settings.allow_cloud_models
        self.aliases = Aliases(settings.model_aliases)
        self._installed = Recent(self._fetch_installed, max_age_seconds=MAX_AGE_SECONDS)
        self._running = Recent(self._fetch_running, max_age_seconds=MAX_AGE_SECONDS)
        self._about: dict[tuple[str, str], About] = {}

    def installed(self) -> list[ollama.ModelEntry]:
        """Return the entries of /api/tags, in its order."""
        return list(self._installed.get().values())

    def resolve(self, name: str | None) -> ollama.ModelEntry:
        """Return the installed model that a client means; no name means DEFAULT_MODEL.

        Either may be an alias.

        Raises ModelNotFound with the line that installs it, and InvalidRequest for a model that
        would run on somebody else's machine.
        """
        asked = name or self._default
        wanted = self.aliases.meant(asked)
        if is_cloud(wanted):
            self._check_cloud(asked)
            return {"name": wanted, "modified_at": ""}
        key = canonical(wanted)
        entry = self._installed.get().get(key)
        if entry is None:
            fresh = time.monotonic() - MAX_AGE_ON_A_MISS_SECONDS
            entry = self._installed.newer_than(fresh).get(key)
        if entry is None:
            raise ModelNotFound(self._missing(name))
        if entry.get("remote_host"):
            self._check_cloud(asked)
        return entry

    def loaded(self) -> dict[str, ollama.RunningModel]:
        """Return what was in memory at most two seconds ago, by canonical name."""
        return self._running.get()

    def is_loaded(self, name: str) -> bool:
        """Tell whether a model was in memory at most two seconds ago."""
        return canonical(name) in self._running.get()

    def look_again(self) -> None:
        """Ask anew what is in memory: something was loaded or unloaded just now."""
        self._running.newer_than(time.monotonic())

    def context_in_use(self, name: str, *, now: bool = False) -> int | None:
        """Return a loaded model's context in tokens (Ollama 0.10.0 and later), if told.

        `now` asks anew: a model that was just loaded is not in a list of two seconds ago.
        """
        fresh = time.monotonic() - MAX_AGE_ON_A_MISS_SECONDS
        loaded = self._running.newer_than(fresh) if now else self._running.get()
        entry = loaded.get(canonical(name))
        return entry.get("context_length") if entry else None

    def about(self, entry: ollama.ModelEntry, *, seconds: float = CONTROL_SECONDS) -> About:
        """Return what the model's own file says; asked once for each digest."""
        key = (entry["name"], entry.get("digest", ""))
        if key not in self._about:
            self._about[key] = to_about(self._client.show(entry["name"], seconds=seconds))
        return self._about[key]

    def about_by(self, deadline: float, entry: ollama.ModelEntry) -> About | None:
        """Return the same, or None when the engine does not tell until then (time.monotonic).

        A model that is nowhere on this machine has no digest, and its host is not asked.
        """
        key = (entry["name"], entry.get("digest", ""))
        seconds = deadline - time.monotonic()
        if key not in self._about and "digest" in entry and seconds > 0:
            with suppress(TensoriaError):
                return self.about(entry, seconds=seconds)
        return self._about.get(key)

    def capabilities(self, entry: ollama.ModelEntry) -> frozenset[str] | None:
        """Return what the model can do in Ollama's words (0.6.4 and later), if told."""
        listed = entry.get("capabilities")
        return frozenset(listed) if listed else self.about(entry).capabilities

    def _fetch_installed(self) -> dict[str, ollama.ModelEntry]:
        return {canonical(entry["name"]): entry for entry in self._client.tags()}

    def _fetch_running(self) -> dict[str, ollama.RunningModel]:
        return {canonical(entry["name"]): entry for entry in self._client.ps()}

    def _check_cloud(self, asked: str) -> None:
        if not self._allow_cloud:
            message = (
                "This model runs on another company's machines, and prompts stay here: cloud "
                "models are off (ALLOW_CLOUD_MODELS)."
            )
            raise InvalidRequest(
                self.aliases.explained(asked, message),
                param="model",
                code="model_not_allowed",
            )

    def _missing(self, name: str | None) -> str:
        installed = [entry["name"] for entry in self._installed.get().values()]
        asked = name or self._default
        wanted = self.aliases.meant(asked)
        pull = f" To install it: ollama pull {wanted[:100]}"
        if name:
            message = not_found_message(wanted, installed, pull)
        else:
            message = f"The default model '{wanted}' (DEFAULT_MODEL) is not installed.{pull}"
        return self.aliases.explained(asked, message)


def is_elsewhere(entry: ollama.ModelEntry) -> bool:
    """Tell whether a model runs on another company's machines, and is never in memory here."""
    return bool(entry.get("remote_host")) or is_cloud(entry["name"])
