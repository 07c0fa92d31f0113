"""Which models an engine that speaks OpenAI offers."""

import time
from typing import Any

import orjson

from tensoria.backends.ollama_client import CONTROL_SECONDS
from tensoria.backends.ollama_models import MAX_AGE_ON_A_MISS_SECONDS, MAX_AGE_SECONDS
from tensoria.backends.recent import Recent
from tensoria.backends.transport import AnyTransport
from tensoria.config import Settings
from tensoria.errors import BackendError, ModelNotFound, RequestError
from tensoria.translate.aliases import Aliases
from tensoria.translate.errors import to_error
from tensoria.translate.models import from_openai, names_of
from tensoria.translate.names import canonical, not_found_message
from tensoria.wire.openai import Model

LLAMA_CPP = "llamacpp"


class OpenAIModels:
    """The models of one engine, as of at most two seconds ago; shared by all threads."""

    def __init__(self, transport: AnyTransport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings
        self._entries = Recent(self._fetch_entries, max_age_seconds=MAX_AGE_SECONDS)
        self.aliases = Aliases(settings.model_aliases)
        self._first_seen: dict[str, int] = {}

    def listed(self) -> list[dict[str, Any]]:
        """Return the entries of /models, in the engine's order."""
        # Each stands under all of its names.
        return list({entry["id"]: entry for entry in self._entries.get().values()}.values())

    def by_name(self) -> dict[str, dict[str, Any]]:
        """Return the entries by every name (`canonical`) that the engine gives them."""
        return self._entries.get()

    def resolve(self, name: str | None, how_to_get: str = "") -> dict[str, Any]:
        """Return the entry that a client means; no name means DEFAULT_MODEL.

        Either may be an alias. The engine would take any name and echo it, so it is checked here.
        """
        asked = name or self._settings.default_model
        wanted = self.aliases.meant(asked)
        entry = self._entries.get().get(canonical(wanted))
        if entry is None:
            fresh = time.monotonic() - MAX_AGE_ON_A_MISS_SECONDS
            entry = self._entries.newer_than(fresh).get(canonical(wanted))
        if entry is None:
            installed = [entry["id"] for entry in self.listed()]
            message = not_found_message(wanted, installed, how_to_get)
            raise ModelNotFound(self.aliases.explained(asked, message))
        return entry

    def to_model(self, entry: dict[str, Any]) -> Model:
        """Return OpenAI's model for an entry."""
        told = entry.get("created")
        date = int(told) if isinstance(told, int | float) else 0
        if is_llama_cpp(entry):
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
            aliases = {canonical(name): entry for entry in entries for name in names_of(entry)}
            return aliases | {canonical(entry["id"]): entry for entry in entries}
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
            raise BackendError("The engine's list of models cannot be read.") from error


def is_llama_cpp(entry: dict[str, Any]) -> bool:
    """Tell whether an entry is of llama.cpp's server."""
    return entry.get("owned_by") == LLAMA_CPP
