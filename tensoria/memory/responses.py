"""Responses: kept with what they were asked, found again, followed upon and forgotten.

Every function works within one transaction. What belongs to another owner does not exist.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tensoria.memory import items
from tensoria.memory.items import Item

Body = dict[str, Any]

# Longer chains are somebody's loop; a model's context is full long before.
MOST_LINKS = 10_000
# Of what is used more often than this, one use is written down.
TOUCH_SECONDS = 60.0
_FIELDS = "id, created, previous, conversation, status, background, worker, body"


class UnknownResponse(Exception):
    """A response is not there (any more): it was never kept, or deleted, or is another owner's."""

    def __init__(self, response_id: str) -> None:
        super().__init__(response_id)
        self.id = response_id


class StillRunning(Exception):
    """A response has no end yet that one could follow upon."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A response as it is kept; `worker` is the token of the one that still runs it."""

    id: str
    created: float
    previous: str | None
    conversation: str | None
    status: str
    background: bool
    worker: str | None
    body: Body


def insert(
    db: sqlite3.Connection,
    owner: str,
    body: Mapping[str, Any],
    asked: Iterable[Mapping[str, Any]],
    *,
    now: float,
    conversation: str | None = None,
    worker: str | None = None,
) -> None:
    """Keep a response, with a worker as one that has only begun. `asked` are its input items."""
    response, previous = body["id"], body.get("previous_response_id")
    _join_chain(db, owner, response, previous, now)
    chain = _chain_of(db, owner, previous) or response
    db.execute(
        "INSERT INTO responses (id, owner, created, chain, previous, conversation, status,"
        " background, worker, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            response,
            owner,
            now,
            chain,
            previous,
            conversation,
            body["status"],
            bool(body.get("background")),
            worker,
            _without_output(body),
        ),
    )
    items.add(db, owner, asked, response=response, output=False)
    if worker is None:
        _end(db, owner, body, conversation, now)


def finish(
    db: sqlite3.Connection, owner: str, body: Mapping[str, Any], *, worker: str, now: float
) -> bool:
    """Keep the end of a response that has run; False when it is not there to be ended any more."""
    done = db.execute(
        "UPDATE responses SET status = ?, body = ?, worker = NULL"
        " WHERE id = ? AND owner = ? AND worker = ?",
        (body["status"], _without_output(body), body["id"], owner, worker),
    )
    if not done.rowcount:
        return False
    query = "SELECT conversation FROM responses WHERE id = ?"
    (conversation,) = db.execute(query, (body["id"],)).fetchone()
    _end(db, owner, body, conversation, now)
    return True


def begin(db: sqlite3.Connection, body: Mapping[str, Any], *, worker: str) -> None:
    """Keep that a queued response runs."""
    db.execute(
        "UPDATE responses SET status = ?, body = ? WHERE id = ? AND worker = ?",
        (body["status"], _without_output(body), body["id"], worker),
    )


def find(db: sqlite3.Connection, owner: str, response_id: str) -> Kept:
    """Return a response; raises UnknownResponse."""
    row = db.execute(
        f"SELECT {_FIELDS} FROM responses WHERE id = ? AND owner = ?",  # noqa: S608  # ours
        (response_id, owner),
    ).fetchone()
    if row is None:
        raise UnknownResponse(response_id)
    found, created, previous, conversation, status, background, worker, body = row
    whole = {**orjson.loads(body), "output": items.outputs(db, response_id)}
    return Kept(found, created, previous, conversation, status, bool(background), worker, whole)


def recall(db: sqlite3.Connection, owner: str, response_id: str) -> list[Item]:
    """Return all items up to a response and of it, the oldest first.

    Raises UnknownResponse with the id of the link that is missing, and StillRunning.
    """
    links: list[str] = []
    current: str | None = response_id
    while current is not None and len(links) < MOST_LINKS:
        row = db.execute(
            "SELECT previous, worker FROM responses WHERE id = ? AND owner = ?", (current, owner)
        ).fetchone()
        if row is None:
            raise UnknownResponse(current)
        if row[1] is not None:
            raise StillRunning(current)
        links.append(current)
        current = row[0]
    return [item for link in reversed(links) for item in items.of_response(db, link)]


def is_stale(db: sqlite3.Connection, owner: str, response_id: str, now: float) -> bool:
    """Tell whether the use of a chain is worth to be written down."""
    chain = _chain_of(db, owner, response_id)
    row = db.execute("SELECT used FROM chains WHERE id = ?", (chain,)).fetchone()
    return row is not None and now - float(row[0]) > TOUCH_SECONDS


def touch(db: sqlite3.Connection, owner: str, response_id: str, now: float) -> None:
    """Note that a response's chain was used."""
    chain = _chain_of(db, owner, response_id)
    db.execute("UPDATE chains SET used = max(used, ?) WHERE id = ?", (now, chain))


def delete(db: sqlite3.Connection, owner: str, response_id: str) -> None:
    """Forget a response, its items and its events; raises UnknownResponse."""
    chain = _chain_of(db, owner, response_id)
    if chain is None:
        raise UnknownResponse(response_id)
    db.execute("DELETE FROM responses WHERE id = ?", (response_id,))
    db.execute(
        "DELETE FROM chains WHERE id = ? AND NOT EXISTS"
        " (SELECT 1 FROM responses WHERE chain = chains.id)",
        (chain,),
    )


def ask_to_cancel(db: sqlite3.Connection, owner: str, response_id: str) -> None:
    """Tell the worker that runs a response to end it."""
    db.execute(
        "UPDATE responses SET cancelled = 1 WHERE id = ? AND owner = ?", (response_id, owner)
    )


def unwanted(db: sqlite3.Connection, worker: str, running: Iterable[str]) -> list[str]:
    """Return those of a worker's responses that are to be cancelled, or were deleted."""
    rows = db.execute("SELECT id FROM responses WHERE worker = ? AND cancelled = 0", (worker,))
    wanted = {response for (response,) in rows}
    return [each for each in running if each not in wanted]


def _end(
    db: sqlite3.Connection,
    owner: str,
    body: Mapping[str, Any],
    conversation: str | None,
    now: float,
) -> None:
    items.add(db, owner, body["output"], response=body["id"], output=True)
    if conversation is None or body["status"] not in ("completed", "incomplete"):
        return
    done = db.execute(
        "UPDATE conversations SET used = ? WHERE id = ? AND owner = ?", (now, conversation, owner)
    )
    # Deleted meanwhile, it takes up nothing more.
    if done.rowcount:
        items.adopt(db, body["id"], conversation)


def _join_chain(
    db: sqlite3.Connection, owner: str, response: str, previous: str | None, now: float
) -> None:
    chain = _chain_of(db, owner, previous) or response
    db.execute(
        "INSERT INTO chains VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET used = excluded.used",
        (chain, owner, now),
    )


def _chain_of(db: sqlite3.Connection, owner: str, response_id: str | None) -> str | None:
    query = "SELECT chain FROM responses WHERE id = ? AND owner = ?"
    row = db.execute(query, (response_id, owner)).fetchone()
    return None if row is None else str(row[0])


def _without_output(body: Mapping[str, Any]) -> bytes:
    """The output stands among the items, once."""
    return orjson.dumps({name: value for name, value in body.items() if name != "output"})
