"""What a chat and a text completion are asked alike, in OpenAI's words."""

from typing import TypedDict

from tensoria.wire.extensions import Sampling


class StreamOptions(TypedDict, total=False):
    """`stream_options` of a request."""

    include_usage: bool


class Generation(Sampling, total=False):
    """Which model is to write, how, and how much.

    `stop` is a list. Of both spellings of the limit (in tokens, -1 for none) the smaller holds.
    """

    model: str
    stream: bool
    stream_options: StreamOptions
    temperature: float
    top_p: float
    max_tokens: int
    max_completion_tokens: int
    stop: list[str]
    seed: int
    presence_penalty: float
    frequency_penalty: float
    logit_bias: dict[str, float]
    n: int
    user: str
