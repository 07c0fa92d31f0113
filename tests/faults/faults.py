"""What goes wrong: each fault by its name, in the dialect of the engine that has it."""

from collections.abc import Callable

import orjson

from tests.fake_ollama import Handler, answer_html, answer_text, close, drip, hang, reset
from tests.faults.dialects import Dialect, refusal

Fault = Callable[[str, Dialect], Handler]

# More than any receive brings, and less than a line may have.
GIANT = "a" * (3 * 1024 * 1024)
# More than a line may have (16 MiB).
ENDLESS = "a" * (17 * 1024 * 1024)
# As llama-server writes it, and Ollama 0.30 and later pass it on.
_OVERFLOW = {
    "error": {
        "code": 400,
        "message": "the request exceeds the available context size, try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 5000,
        "n_ctx": 4096,
    }
}
# Longer than any test may take, at one byte every 40 ms.
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Padding: " + b"x" * 4000 + b"\r\n\r\n{}"


def _cut_inside_a_letter(d: Dialect) -> bytes:
    line = d.text("lö")
    return line[: line.index("ö".encode()) + 1]


def _cut_inside_json(d: Dialect) -> bytes:
    """Up to the first letter: what comes before is JSON's."""
    line = d.text("lo")
    return line[: line.index(b"lo") + 1]


def _bytewise(d: Dialect) -> Handler:
    body = d.text("Hel") + d.text("lo") + d.done
    return d.answer(*(bytes([byte]) for byte in body))


# Those that an engine has while it listens, and that are told by what it sends.
SCRIPTED: dict[str, Fault] = {
    "reset": lambda _, d: reset,
    "closed": lambda _, d: close,
    "reset in the middle": lambda _, d: d.answer(d.text("Hel"), reset),
    "slow headers": lambda _, d: hang,
    "dripping headers": lambda _, d: drip(_HEAD, 0.04),
    "200 with HTML": lambda _, d: answer_html(200),
    "error line first": lambda _, d: d.alone(d.error("CUDA error"), *d.after_error),
    "error line in the middle": lambda _, d: d.answer(
        d.text("Hel"), d.error("CUDA error"), *d.after_error
    ),
    "EOF without `done`": lambda _, d: d.answer(d.text("Hel"), close),
    "proper end without `done`": lambda _, d: d.answer(d.text("Hel")),
    "cut inside UTF-8": lambda _, d: d.answer(d.text("Hel"), _cut_inside_a_letter(d)),
    "cut inside JSON": lambda _, d: d.answer(d.text("Hel"), _cut_inside_json(d)),
    "duplicate `done`": lambda _, d: d.answer(d.text("Hel"), d.text("lo"), d.done + d.done),
    "stall": lambda _, d: d.answer(d.text("Hel"), hang),
    "one byte at a time": lambda _, d: _bytewise(d),
    "giant line": lambda _, d: d.answer(d.text(GIANT), d.done),
    "line without an end": lambda _, d: d.answer(
        d.text("Hel"), d.text(ENDLESS).strip(), *(d.after_error or (d.done,))
    ),
    "503 busy": lambda engine, d: refusal(engine, 503, "server busy, please try again"),
    "JSON inside a string": lambda engine, d: refusal(
        engine, 400, orjson.dumps(_OVERFLOW).decode()
    ),
    "empty 403": lambda _, d: answer_text("", 403, ""),
}
# These are told by time: the service has limits of a fraction of a second for them.
SLOW = frozenset({"slow headers", "dripping headers", "stall"})
# These need another engine than one that is scripted; see `benches`.
UNREACHED = ("refused", "DNS failure")
KILLED = ("engine killed before it answers", "engine killed in the middle")
RESTARTED = "engine restarted"
NOTICED_LATE = "engine restarted, noticed late"
