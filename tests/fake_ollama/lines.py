"""The lines and objects that Ollama writes, built by hand; shapes from ollama-api.md 1.3 and 3."""

import json
from typing import Any

MODEL = "smollm2:135m"
CREATED_AT = "2026-11-23T14:37:54.577379629Z"


def chat_line(text: str, **message: Any) -> bytes:
    """Return one line of /api/chat that carries text; keywords join `message` (thinking, …)."""
    return _line(
        {
            "model": MODEL,
            "created_at": CREATED_AT,
            "message": {"role": "assistant", "content": text, **message},
            "done": False,
        }
    )


def done_line(
    reason: str | None = "stop",
    *,
    prompt: int | None = 27,
    eval: int | None = 8,
    text: str = "",
    **extra: Any,
) -> bytes:
    """Return the last line of /api/chat. None leaves a member out, as Ollama does with zeros.

    Durations are nanoseconds; `prompt` and `eval` are the counts of tokens.
    """
    line = {
        "model": MODEL,
        "created_at": CREATED_AT,
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": reason,
        "total_duration": 227706487,
        "load_duration": 818430,
        "prompt_eval_count": prompt,
        "prompt_eval_duration": 95486000,
        "eval_count": eval,
        "eval_duration": 126491000,
        **extra,
    }
    return _line({name: value for name, value in line.items() if value is not None})


def generate_line(text: str, **extra: Any) -> bytes:
    """Return one line of /api/generate that carries text; keywords join it (thinking, …)."""
    line = {"model": MODEL, "created_at": CREATED_AT, "response": text, "done": False}
    return _line(line | extra)


def generate_done_line(
    reason: str | None = "stop", *, prompt: int = 3, eval: int = 8, text: str = ""
) -> bytes:
    """Return the last line of /api/generate, as with `raw`; None leaves the reason out."""
    line = {"done": True, "done_reason": reason, "prompt_eval_count": prompt, "eval_count": eval}
    return generate_line(text, **{name: value for name, value in line.items() if value is not None})


def error_line(text: str) -> bytes:
    """Return an error as Ollama writes it, as a body and as a line in the middle of a stream."""
    return _line({"error": text})


def embedding(text: str) -> list[float]:
    """Return the fake's vector for a text: its length tells texts apart, and float32 holds it."""
    return [float(len(text)), 0.5, -0.25, 1.0]


def model_entry(
    name: str = MODEL,
    *,
    modified_at: str = "2026-11-23T14:37:17.398119391Z",
    size: int = 98363109,
    digest: str = "cfe2a397f23b7353fd0dc827646c7cbdeb18102751d77dfbd2f5d36d4253c1d9",
    capabilities: tuple[str, ...] = ("completion",),
    context_length: int = 8192,
    **extra: Any,
) -> dict[str, Any]:
    """Return one model as 0.30 and later list it; the fake takes off what its release lacks.

    `context_length` is the trained one, in tokens; `extra` may hold `remote_host` and the like.
    """
    return {
        "name": name,
        "model": name,
        "modified_at": modified_at,
        "size": size,
        "digest": digest,
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "134.52M",
            "quantization_level": "Q4_1",
            "context_length": context_length,
            "embedding_length": 576,
        },
        "capabilities": list(capabilities),
        **extra,
    }


def _line(value: dict[str, Any]) -> bytes:
    """Encode as Go's encoder does: no spaces, no escaped letters, one newline."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
