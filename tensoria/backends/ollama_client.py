"""Ollama's native API, one method an endpoint; nothing above this file knows a path.

Source: github.com/ollama/ollama docs/api.md, releases 0.9.6 to 0.32.15.
"""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from tensoria.backends.body import Body
from tensoria.backends.limits import Limits
from tensoria.backends.transport import AnyTransport
from tensoria.errors import BackendError, RequestError
from tensoria.translate.errors import to_error
from tensoria.translate.loading import Endpoint
from tensoria.wire import ollama
from tensoria.wire.completions import GenerateRequest

# Lists and versions are answered at once by an Ollama that lives.
CONTROL_SECONDS = 10.0


class OllamaClient:
    """Speaks to one Ollama; every method raises BackendError and its kin, and nothing else."""

    def __init__(self, transport: AnyTransport) -> None:
        self._transport = transport

    def version(self) -> str:
        """Return the release, such as "0.32.15" (development builds say "0.0.0")."""
        return str(self._object("GET", "/api/version").get("version", "unknown"))

    def tags(self) -> list[ollama.ModelEntry]:
        """Return the installed models; 0.32.15 does not sort them by date."""
        return cast("list[ollama.ModelEntry]", self._list("/api/tags"))

    def ps(self) -> list[ollama.RunningModel]:
        """Return the loaded models."""
        return cast("list[ollama.RunningModel]", self._list("/api/ps"))

    def show(self, model: str, *, seconds: float = CONTROL_SECONDS) -> ollama.ModelDetails:
        """Return a model's details; raises ModelNotFound when it has gone."""
        asked = self._object("POST", "/api/show", {"model": model}, seconds=seconds)
        return cast("ollama.ModelDetails", asked)

    def chat(self, payload: ollama.ChatRequest, limits: Limits) -> Body:
        """Return the open answer of /api/chat, whose status the caller has to look at.

        Before 0.12.6 an error before the first token comes with status 200, as the first line.
        """
        return self._transport.open("/api/chat", payload, limits)

    def generate(self, payload: GenerateRequest, limits: Limits) -> Body:
        """Return the open answer of /api/generate; see `chat`."""
        return self._transport.open("/api/generate", payload, limits)

    def embed(self, payload: ollama.EmbedRequest, limits: Limits) -> Body:
        """Return the open answer of /api/embed, which begins when every vector is there."""
        return self._transport.open("/api/embed", payload, limits)

    def load(self, endpoint: Endpoint, payload: ollama.LoadRequest, *, seconds: float) -> None:
        """Return when a model is in memory; hanging up before would end the load."""
        self._object("POST", f"/api/{endpoint}", payload, seconds=seconds)

    def unload(self, payload: ollama.UnloadRequest) -> None:
        """Have a model taken out of memory; Ollama answers at once."""
        self._object("POST", "/api/generate", payload)

    def _list(self, path: str) -> list[Mapping[str, Any]]:
        entries = self._object("GET", path).get("models")
        if not isinstance(entries, list):
            return []
        return [e for e in entries if isinstance(e, dict) and isinstance(e.get("name"), str)]

    def _object(
        self, method: str, path: str, payload: object = None, *, seconds: float = CONTROL_SECONDS
    ) -> dict[str, Any]:
        status, body = self._transport.json(method, path, payload, seconds=seconds)
        if status != 200:
            error = to_error(status, body)
            if method == "GET" and isinstance(error, RequestError):
                # What stands there is no Ollama; the client's model or request is not at fault.
                raise BackendError(f"The engine does not serve {path}: is that an Ollama?")
            raise error
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise BackendError("The engine's answer is not a JSON object: is that an Ollama?")
        return answer
