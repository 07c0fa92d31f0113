"""Requests that only load or unload a model of Ollama's (docs/api.md, "Load a model")."""

import re
from typing import Literal

from tensoria.wire.ollama import LoadRequest, UnloadRequest

# A model is loaded in the way in which it is then asked: before it loads, Ollama looks whether the
# model can do that.
Endpoint = Literal["chat", "generate", "embed"]

# Less than a second counts as zero, and an empty request with zero unloads the model.
LEAST_KEEP_ALIVE_SECONDS = 1.0
# Long enough for whoever waited for the load to send their requests, which set it anew.
SHORT_KEEP_ALIVE_SECONDS = 60
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def to_load(
    model: str, endpoint: Endpoint, *, keep_alive: str | int | float, context_length: int | None
) -> LoadRequest:
    """Return the body for /api/<endpoint> that loads a model and asks nothing of it.

    What decides how a model is loaded is as in `translate.chat.to_ollama` and its kin: another
    num_ctx, or (0.30 and later) another `shift`, and the first request would load it anew.
    """
    body: LoadRequest = {"model": model, "stream": False, "keep_alive": _long_enough(keep_alive)}
    if endpoint == "embed":
        body["input"] = []
    else:
        body["shift"] = False
    if endpoint == "chat":
        body["messages"] = []
    if endpoint == "generate":
        body["prompt"] = ""
    if context_length is not None:
        body["options"] = {"num_ctx": context_length}
    return body


def to_unload(model: str) -> UnloadRequest:
    """Return the body for /api/generate that unloads a model once its requests are over."""
    return {"model": model, "keep_alive": 0}


def _long_enough(keep_alive: str | int | float) -> str | int | float:
    if 0 <= _to_seconds(keep_alive) < LEAST_KEEP_ALIVE_SECONDS:
        return SHORT_KEEP_ALIVE_SECONDS
    return keep_alive


def _to_seconds(keep_alive: str | int | float) -> float:
    """Return a keep_alive in seconds; a string is a Go duration, such as "-1m" or "1h30m"."""
    if not isinstance(keep_alive, str):
        return keep_alive
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(keep_alive))
    return -seconds if keep_alive.startswith("-") else seconds
