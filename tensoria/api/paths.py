"""Paths: forgiving about slashes, and helpful where nothing is served."""

import re
from collections.abc import Callable, Iterable
from typing import Any

_SLASHES = re.compile(r"/{2,}")
# Endpoints of OpenAI's API that this service does not have (yet), by their first part after /v1.
_NOT_SERVED = frozenset(
    {
        "assistants",
        "audio",
        "batches",
        "containers",
        "evals",
        "files",
        "fine_tuning",
        "images",
        "moderations",
        "realtime",
        "threads",
        "uploads",
        "vector_stores",
        "videos",
    }
)
_SERVED = frozenset({"chat", "completions", "embeddings", "messages", "models", "responses"})

_SERVED = frozenset({"chat", "completions", "conversations", "embeddings", "models", "responses"})

StartResponse = Callable[..., Any]
WSGIApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Slashes:
    """WSGI middleware: `//v1/models/` is `/v1/models`, without a redirect that drops a POST."""

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if "//" in path or path[-1:] == "/":
            environ["PATH_INFO"] = _SLASHES.sub("/", path).rstrip("/") or "/"
        return self._app(environ, start_response)


def describe_missing(path: str, base_url: str) -> str:
    """Say why a path is not served, and which base URL the client meant; ours ends in /v1."""
    shown = path[:100]
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        return (
            f"{shown} belongs to Ollama's own API. This service speaks OpenAI's: "
            f"use the base URL {base_url}."
        )
    if parts[:3] == ["v1", "v1", "messages"]:
        return f"{shown} has /v1 twice: Anthropic's clients add it to {base_url[:-3]} themselves."
    if parts[:2] == ["v1", "v1"]:
        return f"{shown} has /v1 twice: use the base URL {base_url}, to which clients add the rest."
    if parts[0] == "v1" and len(parts) > 1 and parts[1] in _NOT_SERVED:
        return f"/v1/{parts[1]} is an endpoint of OpenAI's API that this service does not serve."
    if parts[0] in _NOT_SERVED | _SERVED:
        return f"{shown} lacks /v1: use the base URL {base_url}."
    return f"{shown} does not exist here. The API lies under /v1."
