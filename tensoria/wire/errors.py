"""OpenAI's error envelope (platform.openai.com/docs/guides/error-codes)."""

from typing import TypedDict


class ErrorBody(TypedDict):
    """The object under `error` in OpenAI's envelope."""

    message: str
    type: str
    param: str | None
    code: str | None


class Envelope(TypedDict):
    """The body of every error answer."""

    error: ErrorBody
