"""Anthropic's content blocks: those of a request, after validation, and those of an answer."""

from typing import Any, Literal, NotRequired, TypedDict


class TextBlock(TypedDict):
    """Text, on either side."""

    type: Literal["text"]
    text: str


class ImageBlock(TypedDict):
    """An image of a request: a data URL in its one form (`translate.images.to_data_url`)."""

    type: Literal["image"]
    url: str


class ThinkingBlock(TypedDict):
    """A thought, on either side.

    The signature of an answer's is a digest of it, and proves nothing; that of a request is gone.
    """

    type: Literal["thinking"]
    thinking: str
    signature: NotRequired[str]


class ToolUseBlock(TypedDict):
    """A call of a tool, on either side."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


class ToolResultBlock(TypedDict):
    """What became of a call; a failed one (`is_error`) must not look like a result."""

    type: Literal["tool_result"]
    tool_use_id: str
    content: list[TextBlock | ImageBlock]
    is_error: bool


Block = TextBlock | ImageBlock | ThinkingBlock | ToolUseBlock | ToolResultBlock
AnswerBlock = TextBlock | ThinkingBlock | ToolUseBlock
