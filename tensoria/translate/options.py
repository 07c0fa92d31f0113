"""Ollama's `options`: OpenAI's sampling fields and those beside them, under one roof.

Source: Ollama's api/types.go (Options; 0.9.6 to 0.32.15).
"""

from typing import Any, cast

from tensoria.translate.extensions import to_more_options
from tensoria.wire import ollama

# The request fields that Ollama takes under `options`, and its name for each.
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "seed": "seed",
    "stop": "stop",
    "top_k": "top_k",
    "min_p": "min_p",
    "repeat_penalty": "repeat_penalty",
}


def to_options(
    fields: dict[str, Any],
    *,
    max_tokens: int,
    temperature: float | None,
    context_length: int | None,
) -> ollama.Options:
    """Return `options` for a request's fields; see `translate.chat.to_ollama`."""
    options: dict[str, Any] = {"num_predict": max_tokens}
    if context_length is not None:
        options["num_ctx"] = context_length
    if temperature is not None:
        options["temperature"] = temperature
    options.update((theirs, fields[ours]) for ours, theirs in _OPTIONS.items() if ours in fields)
    if "options" in fields:
        options.update(to_more_options(fields["options"]))
    return cast("ollama.Options", options)
