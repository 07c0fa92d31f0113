"""`system_fingerprint`: the same as long as nothing changed that would change an answer.

Source: OpenAI's description of the field in CreateChatCompletionResponse, "the backend
configuration that the model runs with".
"""

import hashlib
from typing import Any

import orjson

from tensoria.config import Settings

# The settings that make another answer out of the same request.
SETTINGS = (
    "context_length",
    "context_overflow",
    "default_reasoning_effort",
    "default_temperature",
    "max_tokens",
    "max_tokens_limit",
    "structured_retry",
    "tool_rescue",
)
# What an engine that speaks OpenAI tells of a model and does not make up anew for each list, as
# vLLM does with `created` and `permission`.
_LASTING = ("id", "owned_by", "root", "max_model_len", "meta")


def to_fingerprint(model: str, release: str, settings: Settings) -> str:
    """Return `fp_` and ten hexadecimal digits.

    `model` is what names its weights (a digest where there is one), `release` the engine's, empty
    where it is not told.
    """
    chosen = [getattr(settings, name) for name in SETTINGS]
    told = orjson.dumps([model, release, settings.engine, chosen])
    return f"fp_{hashlib.sha256(told).hexdigest()[:10]}"


def to_identity(entry: dict[str, Any]) -> str:
    """Return what names the weights of an entry of another engine's /v1/models."""
    known = {name: entry[name] for name in _LASTING if name in entry}
    return orjson.dumps(known, option=orjson.OPT_SORT_KEYS).decode()
