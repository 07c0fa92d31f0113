"""What is known of the model that a request goes to, and of the engine that runs it."""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ollama", "llamacpp", "openai"]
Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Traits:
    """The engine's kind and release, and what the model can do.

    `version` is None where the engine tells none, or a development build's ("0.0.0"): it counts as
    the newest. `capabilities` (Ollama's words: completion, tools, insert, vision, embedding,
    thinking) is None where they are not told: then nothing is refused for want of one. `denied` are
    those that an engine which does not tell them all says the model has not. `context_length`
    (tokens) is the one that goes up with every request, None where none does.
    """

    kind: Kind
    model: str
    version: Version | None = None
    capabilities: frozenset[str] | None = None
    context_length: int | None = None
    denied: frozenset[str] = frozenset()

    def is_older(self, than: Version) -> bool:
        """Tell whether the engine is an Ollama of a release before this one."""
        return self.kind == "ollama" and self.version is not None and self.version < than

    def lacks(self, capability: str) -> bool:
        """Tell whether the model is known not to have a capability."""
        if capability in self.denied:
            return True
        return self.capabilities is not None and capability not in self.capabilities


def to_version(text: str) -> Version | None:
    """Return (0, 32, 15) for "0.32.15" or "0.32.15-rc2"; None for "0.0.0" and unknown forms."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        return None
    version = (int(found[1]), int(found[2]), int(found[3]))
    return None if version == (0, 0, 0) else version
