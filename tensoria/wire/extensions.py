"""What requests of local engines hold beside OpenAI's own fields."""

from typing import Any, TypedDict


class Reasoning(TypedDict):
    """`reasoning` of a request: none, minimal, low, medium, high, xhigh or max."""

    effort: str


class Thinking(TypedDict, total=False):
    """Spellings of `reasoning_effort`; `think` is true, false or an effort."""

    chat_template_kwargs: dict[str, Any]
    enable_thinking: bool
    reasoning: Reasoning
    think: bool | str


class Sampling(TypedDict, total=False):
    """How tokens are drawn, and for how long a model stays loaded.

    `options` holds what has no field of its own, `keep_alive` seconds or a Go duration.
    """

    keep_alive: str | int | float
    min_p: float
    options: dict[str, Any]
    repeat_penalty: float
    top_k: int
