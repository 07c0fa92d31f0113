"""Items: what was said, by whom and to what end; found by their place or by their id."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

Item = dict[str, Any]

_INSERT = """
INSERT INTO items (id, owner, response, conversation, output, place, body)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class UnknownItem(Exception):
    """There is no item of this id where it was looked for."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a list is wanted: at most `limit`, behind the item `after`, in an order."""

    limit: int = 20
    descending: bool = True
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and whether the list goes on behind it."""

    items: list[Item]
    more: bool


def add(
    db: sqlite3.Connection,
    owner: str,
    items: Iterable[Mapping[str, Any]],
    *,
    response: str,
    output: bool,
) -> None:
    """Keep items of a response, in their order; each has its id."""
    db.executemany(
        _INSERT,
        [(each["id"], owner, response, None, output, None, orjson.dumps(each)) for each in items],
    )


def append(
    db: sqlite3.Connection, owner: str, items: Iterable[Mapping[str, Any]], *, conversation: str
) -> None:
    """Keep items at the end of a conversation."""
    place = _end(db, conversation)
    db.executemany(
        _INSERT,
        [
            (each["id"], owner, None, conversation, False, place + index, orjson.dumps(each))
            for index, each in enumerate(items)
        ],
    )


def adopt(db: sqlite3.Connection, response: str, conversation: str) -> None:
    """Put all items of a response at the end of a conversation as well, in their order."""
    place = _end(db, conversation)
    rows = db.execute("SELECT seq, body FROM items WHERE response = ? ORDER BY seq", (response,))
    whole = [seq for seq, body in rows.fetchall() if is_whole(orjson.loads(body))]
    db.executemany(
        "UPDATE items SET conversation = ?, place = ? WHERE seq = ?",
        [(conversation, place + index, seq) for index, seq in enumerate(whole)],
    )


def is_whole(item: Mapping[str, Any]) -> bool:
    """Tell whether an item can be said again: half a call cannot, half a text can."""
    return not str(item["type"]).endswith("_call") or item.get("status") in (None, "completed")


def outputs(db: sqlite3.Connection, response: str) -> list[Item]:
    """Return what a response has answered."""
    return _bodies(
        db, "SELECT body FROM items WHERE response = ? AND output = 1 ORDER BY seq", response
    )


def of_response(db: sqlite3.Connection, response: str) -> list[Item]:
    """Return what a response was asked and has answered, as far as it can be said again."""
    found = _bodies(db, "SELECT body FROM items WHERE response = ? ORDER BY seq", response)
    return [item for item in found if is_whole(item)]


def of_conversation(db: sqlite3.Connection, conversation: str) -> list[Item]:
    """Return all items of a conversation, the oldest first."""
    return _bodies(db, "SELECT body FROM items WHERE conversation = ? ORDER BY place", conversation)


def find(
    db: sqlite3.Connection, owner: str, item_id: str, conversation: str | None = None
) -> Item | None:
    """Return the newest item of this id that an owner has, anywhere or in one conversation."""
    where = "owner = ? AND id = ?" + (" AND conversation = ?" if conversation else "")
    row = db.execute(
        f"SELECT body FROM items WHERE {where} ORDER BY seq DESC LIMIT 1",  # noqa: S608  # ours
        (owner, item_id, *([conversation] if conversation else [])),
    ).fetchone()
    return None if row is None else orjson.loads(row[0])


def remove(db: sqlite3.Connection, conversation: str, item_id: str) -> bool:
    """Take an item out of its conversation; tell whether it was there."""
    done = db.execute(
        "UPDATE items SET conversation = NULL, place = NULL WHERE conversation = ? AND id = ?",
        (conversation, item_id),
    )
    return done.rowcount > 0


def page_of_response(db: sqlite3.Connection, response: str, span: Span) -> Page:
    """Return a part of what a response was asked; raises UnknownItem for `after`."""
    return _page(db, "response = ? AND output = 0", "seq", response, span)


def page_of_conversation(db: sqlite3.Connection, conversation: str, span: Span) -> Page:
    """Return a part of a conversation; raises UnknownItem for `after`."""
    return _page(db, "conversation = ?", "place", conversation, span)


def _page(db: sqlite3.Connection, where: str, place: str, key: str, span: Span) -> Page:
    values: list[Any] = [key]
    if span.after is not None:
        row = db.execute(
            f"SELECT max({place}) FROM items WHERE {where} AND id = ?",  # noqa: S608  # ours
            (key, span.after),
        ).fetchone()
        if row[0] is None:
            raise UnknownItem(span.after)
        where += f" AND {place} {'<' if span.descending else '>'} ?"
        values.append(row[0])
    order = "DESC" if span.descending else "ASC"
    found = db.execute(
        f"SELECT body FROM items WHERE {where} ORDER BY {place} {order} LIMIT ?",  # noqa: S608
        (*values, span.limit + 1),
    ).fetchall()
    return Page([orjson.loads(body) for (body,) in found[: span.limit]], len(found) > span.limit)


def _end(db: sqlite3.Connection, conversation: str) -> int:
    query = "SELECT coalesce(max(place), -1) + 1 FROM items WHERE conversation = ?"
    return int(db.execute(query, (conversation,)).fetchone()[0])


def _bodies(db: sqlite3.Connection, query: str, key: str) -> list[Item]:
    return [orjson.loads(body) for (body,) in db.execute(query, (key,))]
