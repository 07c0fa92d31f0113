"""What a request finds of earlier ones, and what it leaves behind."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from tensoria.api.notices import Notices
from tensoria.api.services import client, key, services
from tensoria.errors import InvalidRequest, StorageUnavailable, UnsupportedParameter
from tensoria.memory import conversations, items, responses
from tensoria.memory.conversations import UnknownConversation
from tensoria.memory.responses import StillRunning, UnknownResponse
from tensoria.memory.store import Connection, Memory
from tensoria.wire.responses import Item, Response, ResponseRequest

_log = logging.getLogger("tensoria.memory")

OFF = "this service keeps nothing (STORE=0)"


def owner() -> str:
    """Return whose memory the current request may look into: its key's, or everybody's."""
    used = key()
    return "" if used is None else used.name


def memory_for(field: str) -> Memory:
    """Return the memory; raises UnsupportedParameter naming the field where nothing is kept."""
    memory = services().memory
    if not memory.on:
        raise UnsupportedParameter(f"'{field}' cannot be honoured: {OFF}.", param=field)
    return memory


def recall(request: ResponseRequest) -> list[Item]:
    """Return what was said before a request, the oldest first.

    Raises InvalidRequest naming previous_response_id or conversation where that is not there (any
    more), and StorageUnavailable where it cannot be known.
    """
    previous, conversation = request.get("previous_response_id"), request.get("conversation")
    if previous and conversation:
        raise InvalidRequest(
            "'previous_response_id' and 'conversation' cannot be used together.",
            param="previous_response_id",
        )
    if previous:
        return _chain(memory_for("previous_response_id"), previous)
    if conversation:
        return _conversation(memory_for("conversation"), conversation)
    return []


def references(asked: Sequence[Item], name: str = "input") -> list[Item]:
    """Return items with what is only named in its place; raises for an id that is not known."""
    named = {item["id"] for item in asked if item["type"] == "item_reference"}
    if not named:
        return [*asked]
    memory, whose = memory_for(name), owner()
    found = memory.read(lambda db: {each: items.find(db, whose, each) for each in named})
    return [_referred(item, f"{name}[{index}]", found) for index, item in enumerate(asked)]


class Keeping:
    """Keeps one response when it has ended; made in its view, called when that may be over."""

    def __init__(self, request: ResponseRequest, said: Sequence[Item]) -> None:
        self._memory = services().memory
        self._owner = owner()
        self._client = client()
        self._stores = request.get("store", True)
        self._conversation = request.get("conversation")
        self._said = said

    def __call__(self, response: Response) -> Response:
        """Keep an ended response and what it was asked, and return it as it may be told.

        It is in force before anybody is told of the end. An answer is never lost to a disk: it
        goes out with `store: false`.
        """
        memory = self._memory
        if not memory.on or not (self._stores or self._conversation):
            return {**response, "store": False}
        # It is whole: a client that leaves now finds it when it comes back.
        self._client.stop_watching()
        try:
            memory.write(partial(self._write, response=response, now=memory.clock()))
        except StorageUnavailable as error:
            _log.warning("%s A response is answered and not kept.", error.message)
            return {**response, "store": False}
        except UnknownConversation:
            _log.info("a response has not joined its conversation, which was deleted meanwhile")
        return {**response, "store": self._stores}

    def _write(self, db: Connection, *, response: Response, now: float) -> None:
        whose, conversation = self._owner, self._conversation
        if self._stores:
            responses.insert(db, whose, response, self._said, now=now, conversation=conversation)
        elif conversation and response["status"] in ("completed", "incomplete"):
            whole = [item for item in response["output"] if items.is_whole(item)]
            conversations.append(db, whose, conversation, [*self._said, *whole], now)


def told_of_store(request: ResponseRequest, told: Notices) -> Notices:
    """Add that `store` is ignored, where it was asked for and nothing is kept."""
    if services().memory.on or not request.get("store"):
        return told
    return replace(told, ignored=(*told.ignored, "store"))


def _chain(memory: Memory, previous: str) -> list[Item]:
    whose, now = owner(), memory.clock()
    try:
        found, stale = memory.read(
            lambda db: (
                responses.recall(db, whose, previous),
                responses.is_stale(db, whose, previous, now),
            )
        )
    except UnknownResponse as unknown:
        raise InvalidRequest(
            f"Previous response with id '{unknown.id}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        ) from None
    except StillRunning:
        raise InvalidRequest(
            f"Previous response with id '{previous}' is still running.",
            param="previous_response_id",
        ) from None
    if stale:
        _renew(memory, lambda db: responses.touch(db, whose, previous, now))
    return found


def _conversation(memory: Memory, conversation: str) -> list[Item]:
    whose, now = owner(), memory.clock()

    try:
        found, stale = memory.read(
            lambda db: (
                conversations.recall(db, whose, conversation),
                conversations.is_stale(conversations.find(db, whose, conversation), now),
            )
        )
    except UnknownConversation:
        raise InvalidRequest(
            f"Conversation with id '{conversation}' not found.",
            param="conversation",
            code="conversation_not_found",
        ) from None
    if stale:
        _renew(memory, lambda db: conversations.touch(db, whose, conversation, now))
    return found


def _renew(memory: Memory, touch: Callable[[Connection], None]) -> None:
    """Have what is used kept for longer, if that can be: a full disk lets itself be read."""
    with suppress(StorageUnavailable):
        memory.write(touch)


def _referred(item: Item, place: str, found: dict[str, Item | None]) -> Item:
    if item["type"] != "item_reference":
        return item
    named = found[item["id"]]
    if named is None:
        raise InvalidRequest(f"Item with id '{item['id']}' not found.", param=f"{place}.id")
    return named
