"""What an engine says of itself: version, installed models, one model, what is loaded."""

from tests.expectations.shapes import (
    A,
    Answer,
    B,
    ByRelease,
    C,
    Context,
    ModelList,
    NotAsked,
    Ready,
    Refused,
    Told,
    everywhere,
)

_HELLO = Answer("Hello", "stop", 27, 8)

EXPECTED: dict[str, ByRelease] = {
    # modified_at of all six is 2026-11-23T14:37:17 and a fraction, UTC.
    "tags": everywhere(
        ModelList(
            ids=frozenset(
                {
                    "all-minilm:l6-v2",
                    "qwen-own:0.5b",
                    "qwen-tools:0.5b",
                    "smol-think:135m",
                    "smollm2-own:135m",
                    "smollm2:135m",
                }
            ),
            created=1795444637,
            owned_by="library",
        )
    ),
    "tags-head": everywhere(NotAsked()),
    "root": everywhere(NotAsked()),
    # Before 0.12.6 Ollama cuts a long prompt without a word, and nothing can be done about it.
    "version": {
        A: Ready("0.9.6", warned=True),
        B: Ready("0.24.0", warned=False),
        C: Ready("0.32.15", warned=False),
    },
    # 0.9.6 does not tell the context in use.
    "ps-one": {A: Context(None), B: Context(4096), C: Context(4096)},
    "ps-empty": everywhere(Context(None)),
    # `parameters` holds two stop strings and no temperature, so DEFAULT_TEMPERATURE goes up.
    "show-chat": everywhere(Told(_HELLO, temperature=0.7)),
    # 0.24.0 copied the stop strings out of the Jinja template; 0.32.15 sends no `parameters`.
    "own-show-chat": {B: Told(_HELLO, temperature=0.7), C: Told(_HELLO, temperature=0.7)},
    # capabilities: ["embedding"]
    "show-embedding": everywhere(
        Told(Refused(400, "unsupported_parameter", "model"), chat="chat-embedding-model")
    ),
    # The model was removed a moment after it was listed.
    "show-missing": everywhere(
        Told(Refused(404, "model_not_found", "model"), chat="chat-missing-model")
    ),
    # model is required
    "show-no-name": everywhere(Told(Refused(400, "invalid_request"), chat="chat-no-model")),
}
