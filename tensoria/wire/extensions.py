"""What requests of local engines hold beside OpenAI's own fields."""

from typing import TypedDict


class Reasoning(TypedDict):
    """`reasoning` of a request: none, minimal, low, medium, high, xhigh or max."""

    effort: str
