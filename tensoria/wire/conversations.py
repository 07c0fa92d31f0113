"""The vocabulary of what is kept (platform.openai.com/docs/api-reference/conversations)."""

from typing import Literal, TypedDict

from tensoria.wire.responses import Item


class ConversationObject(TypedDict):
    """A conversation without its items; `created_at` in Unix seconds."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, str]


class ItemList(TypedDict):
    """A part of a list of items."""

    object: Literal["list"]
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(TypedDict):
    """What was deleted, and is gone."""

    id: str
    object: Literal["response", "conversation.deleted"]
    deleted: Literal[True]
