"""Model lists: an engine's entries to OpenAI's."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tensoria.translate.embeddings import trained_context
from tensoria.wire import ollama
from tensoria.wire.openai import Model


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model: contexts in tokens, in effect and as trained; None if not told."""

    context: int | None = None
    trained_context: int | None = None
    capabilities: Collection[str] | None = None


def to_model(entry: ollama.ModelEntry, facts: Facts) -> Model:
    """Return the model for an entry of /api/tags, dated by the model's own file."""
    name = entry["name"]
    namespace = name.rpartition("/")[0]
    model: Model = {
        "id": name,
        "object": "model",
        "created": to_unix(entry.get("modified_at")),
        "owned_by": namespace or "library",
    }
    return _with_facts(model, facts)


def _with_facts(model: Model, facts: Facts) -> Model:
    if facts.context is not None:
        model["context_length"] = facts.context
    if facts.trained_context is not None:
        model["trained_context_length"] = facts.trained_context
    if facts.capabilities is not None:
        model["capabilities"] = sorted(facts.capabilities)
    return model


def to_facts(
    entry: ollama.ModelEntry, about: "About | None", *, configured: int | None, in_use: object
) -> Facts:
    """Return what is known of an Ollama's model.

    The list has capabilities and the trained context from 0.30 on; before, and where it is asked
    anyway, the model's own file tells (`about`). Ollama gives no model more than it was trained on.
    """
    listed = entry.get("capabilities")
    capabilities = frozenset(map(str, listed)) if isinstance(listed, list) else None
    trained, own = trained_context(entry), None
    if about is not None:
        trained, own = trained or about.trained_context, about.own_context
        capabilities = capabilities or about.capabilities
    context = configured or _tokens(in_use) or own
    if context and trained:
        context = min(context, trained)
    return Facts(context, trained, capabilities)


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
    model: Model = {
        "id": entry["id"],
        "object": "model",
        "created": created,
        "owned_by": owned_by or str(entry.get("owned_by") or "engine"),
    }
    return _with_facts(model, _facts_of(entry))


def _facts_of(entry: dict[str, Any]) -> Facts:
    """Read what vLLM (`max_model_len`) and llama.cpp (`meta`) add to OpenAI's model."""
    meta = entry.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return Facts(
        context=_tokens(entry.get("max_model_len")) or _tokens(meta.get("n_ctx")),
        trained_context=_tokens(meta.get("n_ctx_train")),
    )


def _tokens(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None


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
        capabilities=frozenset(map(str, told)) if isinstance(told, list) else None,
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
