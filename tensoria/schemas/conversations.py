"""The bodies of POST /v1/conversations and below.

Source: OpenAI's CreateConversationBody and UpdateConversationBody.
"""

from typing import Any, cast

from marshmallow import Schema, ValidationError

from tensoria.schemas.base import Loaded, kind, load
from tensoria.schemas.response_items import Items, ignored_in_items
from tensoria.schemas.response_options import MetadataField
from tensoria.wire.responses import Item

# As at OpenAI (platform.openai.com/docs/api-reference/conversations/create-items).
MOST_ITEMS = 20


class _ItemList(Items):
    """Items that are sent as a list, and not as a text."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Item]:
        if not isinstance(value, list):
            raise ValidationError(f"expected an array of items, got {kind(value)}.")
        if len(value) > MOST_ITEMS:
            raise ValidationError(f"expected at most {MOST_ITEMS} items, got {len(value)}.")
        return super()._deserialize(value, *args, **kwargs)


class NewConversation(Schema):
    """What a conversation begins with."""

    items = _ItemList()
    metadata = MetadataField()


class NewItems(Schema):
    """What is added to a conversation."""

    items = _ItemList(required=True)


class NewMetadata(Schema):
    """What a conversation is told to have in place of its metadata."""

    metadata = MetadataField(required=True)


def load_conversation(body: object) -> Loaded[dict[str, Any]]:
    """Check the body of a new conversation; raises InvalidRequest naming the field."""
    return _with_members(load(NewConversation, body), body)


def load_items(body: object) -> Loaded[dict[str, Any]]:
    """Check items that are added; raises InvalidRequest naming the field."""
    return _with_members(load(NewItems, body), body)


def load_metadata(body: object) -> Loaded[dict[str, Any]]:
    """Check new metadata; raises InvalidRequest naming the field."""
    return load(NewMetadata, body)


def _with_members(loaded: Loaded[dict[str, Any]], body: object) -> Loaded[dict[str, Any]]:
    raw = cast("dict[str, Any]", body).get("items") or []
    names = {*loaded.ignored, *ignored_in_items(raw, "items")}
    return Loaded(loaded.request, tuple(sorted(names)))
