"""Reasoning: the five spellings of one wish, and Ollama's `think` for it.

From the first that counts to the last: `think` (Ollama's own), `reasoning.effort`,
`reasoning_effort`, `chat_template_kwargs.enable_thinking`, `enable_thinking`. Where true or false
stands beside an effort that says the same more exactly, the effort holds.

Source: Ollama's api/types.go (ThinkValue) and routes from 0.9.0 to 0.32.15, and recordings.
"""

from collections.abc import Callable
from typing import Any, cast

from tensoria.translate.traits import Traits, Version
from tensoria.wire.openai import ChatRequest

# An effort in OpenAI's words (and "max"), or true and false where no more was said.
Effort = str | bool
Wish = tuple[str, Effort]

SPELLINGS = frozenset(
    {"think", "reasoning", "reasoning_effort", "chat_template_kwargs", "enable_thinking"}
)
_THINK_SINCE: Version = (0, 9, 0)
_GPT_OSS_LEVELS_SINCE: Version = (0, 11, 0)
_LEVELS_SINCE: Version = (0, 17, 7)
_MAX_SINCE: Version = (0, 22, 0)
# gpt-oss and its like know three levels; so do templates that name one.
_LEVELS = {"minimal": "low", "xhigh": "high", "max": "high"}


def is_on(effort: Effort) -> bool:
    """Tell whether an effort asks for any thinking."""
    return effort not in (False, "none")


def wish(request: ChatRequest) -> Wish | None:
    """Return what a settled request asks for, and the name under which it does."""
    if "think" in request:
        return "think", request["think"]
    if "reasoning" in request:
        return "reasoning.effort", request["reasoning"]["effort"]
    if "reasoning_effort" in request:
        return "reasoning_effort", request["reasoning_effort"]
    if "enable_thinking" in request.get("chat_template_kwargs", ()):
        enabled = request["chat_template_kwargs"]["enable_thinking"]
        return "chat_template_kwargs.enable_thinking", enabled
    if "enable_thinking" in request:
        return "enable_thinking", request["enable_thinking"]
    return None


def settle_effort(request: ChatRequest) -> set[str]:
    """Leave one spelling in a request, and name those that said something else."""
    if SPELLINGS.isdisjoint(request):
        return set()
    left = request.copy()
    wishes: list[Wish] = []
    while found := wish(left):
        wishes.append(found)
        _forget(left, found[0])
    if len(wishes) < 2:
        return set()
    kept = _kept(wishes)
    for name, _ in wishes:
        if name != kept[0]:
            _forget(request, name)
    return {name for name, effort in wishes if not _agree(effort, kept[1])}


def is_unheard(effort: Effort, traits: Traits) -> bool:
    """Tell whether an effort has no effect: an Ollama too old, or a model that cannot think."""
    if traits.kind != "ollama":
        return False
    return traits.is_older(_THINK_SINCE) or (is_on(effort) and traits.lacks("thinking"))


def to_think(
    request: ChatRequest, default: str | None, traits: Callable[[], Traits]
) -> tuple[Effort | None, dict[str, str]]:
    """Return Ollama's `think` (None: send none), and what was adjusted to get there.

    `default` is the effort for requests that name none; `traits` is called only if it counts.
    """
    asked = wish(request)
    if asked is None:
        return (None if default is None else _think(default, traits())), {}
    name, effort = asked
    think = _think(effort, traits())
    if think is None or think == effort or (think is False and effort == "none"):
        return think, {}
    return think, {name: str(think).lower()}


def to_openai_reasoning(
    request: ChatRequest, *, default: str | None, llama_cpp: bool
) -> dict[str, Any]:
    """Return what an engine that speaks OpenAI takes for the wish.

    llama.cpp reads it out of the template's arguments alone. Of the others an effort goes up under
    OpenAI's name; true and false, for which OpenAI has none, under vLLM's.
    """
    asked = wish(request)
    effort = asked[1] if asked else default
    arguments = {**request.get("chat_template_kwargs", {})}
    body: dict[str, Any] = {}
    if isinstance(effort, str) and not llama_cpp:
        body["reasoning_effort"] = effort
    elif effort is not None:
        arguments["enable_thinking"] = is_on(effort)
    if llama_cpp and isinstance(effort, str) and is_on(effort):
        arguments.setdefault("reasoning_effort", _LEVELS.get(effort, effort))
    if arguments:
        body["chat_template_kwargs"] = arguments
    return body


def to_template_levels(request: ChatRequest) -> dict[str, str]:
    """Return what is adjusted of an effort whose level llama.cpp's templates do not know.

    A level among the template's own arguments is the client's, and goes up as it is.
    """
    asked = wish(request)
    if asked is None or "reasoning_effort" in request.get("chat_template_kwargs", ()):
        return {}
    name, effort = asked
    return {name: _LEVELS[effort]} if isinstance(effort, str) and effort in _LEVELS else {}


def _think(effort: Effort, traits: Traits) -> Effort | None:
    if traits.is_older(_THINK_SINCE) or traits.lacks("thinking"):
        return None
    gpt_oss = "gpt-oss" in traits.model.lower()
    since = _GPT_OSS_LEVELS_SINCE if gpt_oss else _LEVELS_SINCE
    if traits.is_older(since):
        return is_on(effort)
    if gpt_oss and not is_on(effort):
        # It thinks whatever it is told, and takes false for its middle level.
        return "low"
    if isinstance(effort, bool) or effort == "none":
        return is_on(effort)
    if effort in ("xhigh", "max") and not traits.is_older(_MAX_SINCE):
        return "max"
    return _LEVELS.get(effort, effort)


def _kept(wishes: list[Wish]) -> Wish:
    """Return the first, or an effort that says the same more exactly."""
    first = wishes[0]
    if first[1] is not True:
        return first
    exact = [each for each in wishes if isinstance(each[1], str) and is_on(each[1])]
    return exact[0] if exact else first


def _agree(effort: Effort, kept: Effort) -> bool:
    if isinstance(effort, bool) or not is_on(effort):
        return is_on(effort) == is_on(kept)
    return effort == kept


def _forget(request: ChatRequest, name: str) -> None:
    fields = cast("dict[str, Any]", request)
    field, _, member = name.partition(".")
    left = {key: value for key, value in fields[field].items() if key != member} if member else {}
    if field == "chat_template_kwargs" and left:
        fields[field] = left
    else:
        del fields[field]
