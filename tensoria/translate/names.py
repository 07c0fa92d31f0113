"""Model names: which installed model a client means.

Grammar `[host/][namespace/]model[:tag]`, tag `latest` by default, matched without case
(Ollama's types/model/name.go).
"""

from collections.abc import Iterable
from difflib import get_close_matches


def canonical(name: str) -> str:
    """Return the form that two spellings of one model share: lower case, with a tag."""
    name = name.strip().lower()
    for prefix in ("registry.ollama.ai/", "library/"):
        name = name.removeprefix(prefix)
    has_tag = ":" in name.rpartition("/")[2]
    return name if has_tag else f"{name}:latest"


def find(name: str, installed: Iterable[str]) -> str | None:
    """Return the installed name, as the engine spells it, that `name` means."""
    wanted = canonical(name)
    for candidate in installed:
        if canonical(candidate) == wanted:
            return candidate
    return None


def is_cloud(name: str) -> bool:
    """Tell whether Ollama (0.18.0 and later) would run this name on ollama.com, without a pull."""
    last = name.strip().lower().rpartition("/")[2]
    tag = last.partition(":")[2]
    return tag == "cloud" or last.endswith("-cloud")


def not_found_message(name: str, installed: Iterable[str], how_to_get: str = "") -> str:
    """Say that a model is missing, and what to do: the nearest names and the line to type.

    The client's own text is cut at 100 characters, so that a mistake in it can neither flood a log
    nor keep the comparison busy.
    """
    shown = name[:100]
    # With ":latest" in both, any two names would be near to each other.
    spelled = {canonical(one).removesuffix(":latest"): one for one in installed}
    close = get_close_matches(canonical(shown).removesuffix(":latest"), spelled, n=3, cutoff=0.5)
    names = ", ".join(spelled[match] for match in close)
    nearest = f" Installed and near it: {names}." if close else ""
    return f"The model '{shown}' does not exist.{nearest}{how_to_get}"
