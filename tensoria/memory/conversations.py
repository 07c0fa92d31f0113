"""Conversations: items under one id that many responses share, until somebody deletes it.

Every function works within one transaction. What belongs to another owner does not exist.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tensoria.memory import items
from tensoria.memory.responses import TOUCH_SECONDS


class UnknownConversation(Exception):
    """A conversation is not there (any more), or is another owner's."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(conversation_id)
        self.id = conversation_id


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is known of a conversation beside its items."""

    id: str
    created: float
    metadata: dict[str, str]
    used: float = 0.0


def insert(
    db: sqlite3.Connection,
    owner: str,
    made: Conversation,
    said: Sequence[Mapping[str, Any]],
) -> None:
    """Keep a new conversation with its first items."""
    db.execute(
        "INSERT INTO conversations VALUES (?, ?, ?, ?, ?)",
        (made.id, owner, made.created, made.created, orjson.dumps(made.metadata)),
    )
    items.append(db, owner, said, conversation=made.id)


def find(db: sqlite3.Connection, owner: str, conversation_id: str) -> Conversation:
    """Return a conversation; raises UnknownConversation."""
    row = db.execute(
        "SELECT created, metadata, used FROM conversations WHERE id = ? AND owner = ?",
        (conversation_id, owner),
    ).fetchone()
    if row is None:
        raise UnknownConversation(conversation_id)
    return Conversation(conversation_id, row[0], orjson.loads(row[1]), row[2])


def recall(db: sqlite3.Connection, owner: str, conversation_id: str) -> list[items.Item]:
    """Return all that was said in a conversation; raises UnknownConversation."""
    find(db, owner, conversation_id)
    return items.of_conversation(db, conversation_id)


def update(
    db: sqlite3.Connection,
    owner: str,
    conversation_id: str,
    metadata: Mapping[str, str],
    now: float,
) -> Conversation:
    """Put other metadata in place of a conversation's; raises UnknownConversation."""
    find(db, owner, conversation_id)
    db.execute(
        "UPDATE conversations SET metadata = ?, used = ? WHERE id = ?",
        (orjson.dumps(dict(metadata)), now, conversation_id),
    )
    return find(db, owner, conversation_id)


def is_stale(kept: Conversation, now: float) -> bool:
    """Tell whether the use of a conversation is worth to be written down."""
    return now - kept.used > TOUCH_SECONDS


def touch(db: sqlite3.Connection, owner: str, conversation_id: str, now: float) -> None:
    """Note that a conversation was used."""
    db.execute(
        "UPDATE conversations SET used = max(used, ?) WHERE id = ? AND owner = ?",
        (now, conversation_id, owner),
    )


def append(
    db: sqlite3.Connection,
    owner: str,
    conversation_id: str,
    said: Sequence[Mapping[str, Any]],
    now: float,
) -> None:
    """Put items at the end of a conversation; raises UnknownConversation."""
    find(db, owner, conversation_id)
    touch(db, owner, conversation_id, now)
    items.append(db, owner, said, conversation=conversation_id)


def delete(db: sqlite3.Connection, owner: str, conversation_id: str) -> None:
    """Forget a conversation; items that are also a response's stay there."""
    find(db, owner, conversation_id)
    db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
