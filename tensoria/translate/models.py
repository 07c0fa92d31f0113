"""Model lists: an engine's entries to OpenAI's."""

from dataclasses import dataclass
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


def names_of(entry: dict[str, Any]) -> list[str]:
    """Return the names of an entry of another engine's list, its id last.

    llama.cpp's server answers to the `aliases` of its model too.
    """
    aliases = entry.get("aliases")
    listed = aliases if isinstance(aliases, list) else ()
    return [*(name for name in listed if isinstance(name, str)), entry["id"]]


@dataclass(frozen=True, slots=True)
class About:
    """What a model's own file says, from POST /api/show; lengths in tokens.

    `own_context` is a `num_ctx` of the file, `trained_context` what the weights were made for.
    """

    own_temperature: bool
    own_context: int | None
    trained_context: int | None
    capabilities: frozenset[str] | None


def to_about(details: ollama.ModelDetails) -> About:
    """Read an answer of /api/show, of which every part may be missing or odd."""
    own = _own_parameters(details.get("parameters"))
    info = details.get("model_info")
    info = info if isinstance(info, dict) else {}
    trained = info.get(f"{info.get('general.architecture')}.context_length")
    told = details.get("capabilities")
    return About(
        own_temperature="temperature" in own,
        own_context=int(own["num_ctx"]) if own.get("num_ctx", "").isdecimal() else None,
        trained_context=trained if isinstance(trained, int) else None,
        capabilities=frozenset(told) if isinstance(told, list) else None,
    )


def _own_parameters(text: str | None) -> dict[str, str]:
    """Read `parameters`: text, one `key   value` a line."""
    lines = (line.split(None, 1) for line in (text or "").split("\n"))
    return {line[0]: line[1].strip() for line in lines if len(line) == 2}


def denied_by_props(props: object) -> frozenset[str]:
    """Return what a model cannot do by llama.cpp's /props (build 11549), in Ollama's words.

    Its chat template has a place for tools or not: without one the server would answer as if none
    had been sent. Older builds do not tell.
    """
    caps = props.get("chat_template_caps") if isinstance(props, dict) else None
    told = caps.get("supports_tools") if isinstance(caps, dict) else None
    return frozenset({"tools"}) if told is False else frozenset()
