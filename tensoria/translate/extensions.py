"""Sampling fields that OpenAI does not have, and Ollama's `options` of a request.

Sources: Ollama's api/types.go (0.9.6 to 0.32.15), llama.cpp's server (build 11549), vLLM's
protocol.
"""

from collections.abc import Mapping
from typing import Any

from tensoria.translate.traits import Traits

# Members of `options` that have no field of their own, in the words of Ollama and llama.cpp.
MORE = ("typical_p", "repeat_last_n", "mirostat", "mirostat_eta", "mirostat_tau")


def to_more_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes up as it is; never what would make Ollama load its model anew."""
    return {name: options[name] for name in MORE if name in options}


def is_option_heard(name: str, value: object, traits: Traits) -> bool:
    """Tell whether a member of `options` has an effect, or is what the engine does anyway."""
    if name in MORE:
        if traits.kind == "ollama" and name.startswith("mirostat"):
            return traits.is_older((0, 7, 0))
        return traits.kind != "openai"
    if traits.kind != "ollama":
        return False
    if name == "shift":
        return value is False
    return name == "num_ctx" and value == traits.context_length


def to_openai_extensions(fields: Mapping[str, Any], *, llama_cpp: bool) -> dict[str, Any]:
    """Return what an engine that speaks OpenAI takes: llama.cpp's names are Ollama's.

    vLLM calls `repeat_penalty` another name, and some of its releases take no top_k of 0 for "all".
    """
    body = {name: fields[name] for name in ("top_k", "min_p", "repeat_penalty") if name in fields}
    if llama_cpp:
        return body | to_more_options(fields.get("options", {})) | _to_same_again(fields)
    if body.get("top_k") == 0:
        body["top_k"] = -1
    if "repeat_penalty" in body:
        body["repetition_penalty"] = body.pop("repeat_penalty")
    return body


def _to_same_again(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a named seed tell the same again; a negative one means any.

    With the rest of a prompt in llama.cpp's cache, its last tokens are computed in a batch of
    another size, and rounding then parts the answers (README of llama.cpp's server, cache_prompt).
    """
    return {"cache_prompt": False} if fields.get("seed", -1) >= 0 else {}
