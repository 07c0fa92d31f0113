"""Judge what has no kind in the contract's file by the types of OpenAI's own client.

Source: openai-python's `types.conversations` and `types.responses`.
"""

from typing import Any

from openai.types.conversations import (
    Conversation,
    ConversationDeletedResource,
    ConversationItem,
)
from pydantic import TypeAdapter

_ITEM: TypeAdapter[Any] = TypeAdapter(ConversationItem)


def check_kept(body: dict[str, Any]) -> None:
    """Raise unless a body is a conversation, a deletion, an item, or a list of items."""
    match body.get("object"):
        case "conversation":
            Conversation.model_validate(body, strict=True)
        case "conversation.deleted":
            ConversationDeletedResource.model_validate(body, strict=True)
        case "response":
            assert body == {"id": body["id"], "object": "response", "deleted": True}
        case "list":
            _check_list(body)
        case _:
            _ITEM.validate_python(body, strict=True)


def _check_list(body: dict[str, Any]) -> None:
    assert body.keys() == {"object", "data", "first_id", "last_id", "has_more"}
    ids = [item["id"] for item in body["data"]]
    assert (body["first_id"], body["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    assert isinstance(body["has_more"], bool)
    for item in body["data"]:
        _ITEM.validate_python(item, strict=True)
