"""POST /v1/conversations, and what lies below a conversation."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Blueprint, Response

from tensoria.api.ids import new_id
from tensoria.api.item_lists import asked_span, item_list, unknown_after
from tensoria.api.json import json_body, json_response
from tensoria.api.memory import OFF, owner, references
from tensoria.api.notices import to_header
from tensoria.api.services import services
from tensoria.errors import NotFound
from tensoria.memory import conversations, items
from tensoria.memory.conversations import Conversation, UnknownConversation
from tensoria.memory.items import Item, Page, UnknownItem
from tensoria.memory.store import Connection, Memory
from tensoria.schemas import conversations as schema
from tensoria.translate.response_items import identify

bp = Blueprint("conversations", __name__, url_prefix="/v1/conversations")

Result = TypeVar("Result")


@bp.post("")
def create_conversation() -> Response:
    """Begin a conversation, with or without items."""
    memory, whose = _memory(), owner()
    loaded = schema.load_conversation(json_body())
    made = Conversation(new_id("conv_"), memory.clock(), loaded.request.get("metadata", {}))
    said = identify(references(loaded.request.get("items", []), "items"), new_id)
    memory.write(lambda db: conversations.insert(db, whose, made, said))
    return _told(json_response(_shown(made)), loaded.ignored)


@bp.get("/<conversation_id>")
def retrieve_conversation(conversation_id: str) -> Response:
    """Return a conversation without its items."""
    whose = owner()
    found = _found(
        conversation_id,
        _memory().read,
        lambda db: conversations.find(db, whose, conversation_id),
    )
    return json_response(_shown(found))


@bp.post("/<conversation_id>")
def update_conversation(conversation_id: str) -> Response:
    """Give a conversation other metadata."""
    memory, whose = _memory(), owner()
    loaded = schema.load_metadata(json_body())
    metadata, now = loaded.request.get("metadata", {}), memory.clock()
    found = _found(
        conversation_id,
        memory.write,
        lambda db: conversations.update(db, whose, conversation_id, metadata, now),
    )
    return _told(json_response(_shown(found)), loaded.ignored)


@bp.delete("/<conversation_id>")
def delete_conversation(conversation_id: str) -> Response:
    """Forget a conversation; the responses in it stay, with their items."""
    whose = owner()
    _found(
        conversation_id,
        _memory().erase,
        lambda db: conversations.delete(db, whose, conversation_id),
    )
    return json_response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


@bp.get("/<conversation_id>/items")
def list_conversation_items(conversation_id: str) -> Response:
    """List what was said in a conversation."""
    whose, span = owner(), asked_span()

    def look(db: Connection) -> Page:
        conversations.find(db, whose, conversation_id)
        return items.page_of_conversation(db, conversation_id, span)

    try:
        return item_list(_found(conversation_id, _memory().read, look))
    except UnknownItem as unknown:
        raise unknown_after(str(unknown)) from None


@bp.post("/<conversation_id>/items")
def create_conversation_items(conversation_id: str) -> Response:
    """Add items to a conversation, and return them."""
    memory, whose = _memory(), owner()
    loaded = schema.load_items(json_body())
    said, now = identify(references(loaded.request["items"], "items"), new_id), memory.clock()
    _found(
        conversation_id,
        memory.write,
        lambda db: conversations.append(db, whose, conversation_id, said, now),
    )
    return _told(item_list(Page(said, more=False)), loaded.ignored)


@bp.get("/<conversation_id>/items/<item_id>")
def retrieve_conversation_item(conversation_id: str, item_id: str) -> Response:
    """Return one item of a conversation."""
    whose = owner()

    def look(db: Connection) -> Item | None:
        conversations.find(db, whose, conversation_id)
        return items.find(db, whose, item_id, conversation_id)

    found = _found(conversation_id, _memory().read, look)
    if found is None:
        raise _missing_item(item_id)
    return json_response(found)


@bp.delete("/<conversation_id>/items/<item_id>")
def delete_conversation_item(conversation_id: str, item_id: str) -> Response:
    """Take an item out of a conversation, which is returned."""
    whose = owner()

    def remove(db: Connection) -> tuple[Conversation, bool]:
        kept = conversations.find(db, whose, conversation_id)
        return kept, items.remove(db, conversation_id, item_id)

    kept, removed = _found(conversation_id, _memory().erase, remove)
    if not removed:
        raise _missing_item(item_id)
    return json_response(_shown(kept))


def _memory() -> Memory:
    memory = services().memory
    if not memory.on:
        raise NotFound(f"There are no conversations: {OFF}.")
    return memory


def _found(
    conversation_id: str,
    call: Callable[[Callable[[Connection], Result]], Result],
    function: Callable[[Connection], Result],
) -> Result:
    try:
        return call(function)
    except UnknownConversation:
        raise NotFound(f"Conversation with id '{conversation_id[:100]}' not found.") from None


def _missing_item(item_id: str) -> NotFound:
    return NotFound(f"Item with id '{item_id[:100]}' not found.")


def _shown(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created),
        "metadata": conversation.metadata,
    }


def _told(response: Response, ignored: Sequence[str]) -> Response:
    if ignored:
        response.headers["X-Tensoria-Ignored"] = to_header(ignored)
    return response
