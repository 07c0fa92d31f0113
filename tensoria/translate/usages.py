"""Counts of tokens, told in one way whichever engine it was."""

from collections.abc import Mapping
from typing import Any

from tensoria.translate.chunks import to_usage
from tensoria.wire.openai import Usage


def from_ollama(line: Mapping[str, Any]) -> Usage:
    """Return the counts of an answer's last line; what was cached, releases after 0.32.15 tell."""
    cached = line.get("prompt_eval_cached_count")
    return to_usage(line.get("prompt_eval_count"), line.get("eval_count"), cached)


def from_openai(event: Mapping[str, Any]) -> Usage | None:
    """Return the counts of an event, if it has them.

    llama.cpp's server tells what was cached in `timings`, the others where OpenAI does.
    """
    usage = event.get("usage")
    if not isinstance(usage, dict):
        return None
    details, told = usage.get("prompt_tokens_details"), event.get("timings")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    if cached is None and isinstance(told, dict):
        cached = told.get("cache_n")
    return to_usage(usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)
