"""Model lists: an engine's entries to OpenAI's."""

from datetime import datetime
from typing import Any

from tensoria.wire import ollama
from tensoria.wire.openai import Model


def to_model(entry: ollama.ModelEntry, *, context_length: int | None) -> Model:
    """Return the model for an entry of /api/tags, dated by the model's own file."""
    name = entry["name"]
    namespace = name.rpartition("/")[0]
    model: Model = {
        "id": name,
        "object": "model",
        "created": to_unix(entry.get("modified_at")),
        "owned_by": namespace or "library",
    }
    if context_length is not None:
        model["context_length"] = context_length
    return model


def to_unix(moment: object) -> int:
    """Return Unix seconds for RFC 3339 with up to nine fraction digits; 0 when it is no date.

    Go's "no date" is the first of January of the year 1.
    """
    try:
        return max(0, int(datetime.fromisoformat(str(moment)).timestamp()))
    except (ValueError, OverflowError):
        return 0


def from_openai(entry: dict[str, Any], *, created: int, owned_by: str | None) -> Model:
    """Return the model for an entry of another engine's /v1/models.

    `created` is ours: llama.cpp answers with the time of the question.
    """
    return {
        "id": entry["id"],
        "object": "model",
        "created": created,
        "owned_by": owned_by or str(entry.get("owned_by") or "engine"),
    }


def names_a_temperature(parameters: str | None) -> bool:
    """Tell whether a model's own `parameters` (text, one `key   value` a line) set temperature."""
    return any(
        line.split(None, 1)[:1] == ["temperature"] for line in (parameters or "").split("\n")
    )
