"""What an engine says of itself: version, installed models, one model, what is loaded."""

from collections.abc import Mapping

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


def _told(trained: int, *capabilities: str) -> Told:
    """A model that chats, with no temperature of its own."""
    return Told(_HELLO, temperature=0.7, trained=trained, capabilities=capabilities)


# The list tells it from 0.30 on.
_TOLD_BY_THE_LIST = {
    "all-minilm:l6-v2": (512, ["embedding"]),
    "qwen-own:0.5b": (32768, ["completion"]),
    "qwen-tools:0.5b": (32768, ["completion", "tools"]),
    "smol-think:135m": (8192, ["completion", "thinking"]),
    "smollm2-own:135m": (8192, ["completion"]),
    "smollm2:135m": (8192, ["completion"]),
}


def _listed(told: Mapping[str, tuple[int, list[str]]]) -> ModelList:
    """The same six in each release, with modified_at 2026-11-23T14:37:17 and a fraction, UTC."""
    return ModelList(frozenset(_TOLD_BY_THE_LIST), 1795444637, "library", told)


EXPECTED: dict[str, ByRelease] = {
    "tags": {A: _listed({}), B: _listed({}), C: _listed(_TOLD_BY_THE_LIST)},
    "tags-head": everywhere(NotAsked()),
    "root": everywhere(NotAsked()),
    # 404 model 'nope' not found, without a tag in every release
    "delete-missing": everywhere(NotAsked()),
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
    "show-chat": everywhere(_told(8192, "completion")),
    # 0.24.0 copied the stop strings out of the Jinja template; 0.32.15 sends no `parameters`.
    "own-show-chat": {B: _told(8192, "completion"), C: _told(8192, "completion")},
    # `parameters` holds one stop string
    "show-tools": everywhere(_told(32768, "completion", "tools")),
    "show-thinking": everywhere(_told(8192, "completion", "thinking")),
    # 0.32.15 finds the tools in the Jinja template; no `parameters`
    "own-show-tools": {B: _told(32768, "completion"), C: _told(32768, "completion", "tools")},
    # capabilities: ["embedding"]
    "show-embedding": everywhere(
        Told(
            Refused(400, "unsupported_parameter", "model"),
            chat="chat-embedding-model",
            trained=512,
            capabilities=("embedding",),
        )
    ),
    # The model was removed a moment after it was listed.
    "show-missing": everywhere(
        Told(Refused(404, "model_not_found", "model"), chat="chat-missing-model")
    ),
    # model is required
    "show-no-name": everywhere(Told(Refused(400, "invalid_request"), chat="chat-no-model")),
}
