"""The events of a run that goes on alone: written by the batch, read from any of them on."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

Event = dict[str, Any]


def append(
    db: sqlite3.Connection, response: str, events: Sequence[Mapping[str, Any]], *, worker: str
) -> None:
    """Keep those events that are not there yet, if this worker still runs the response."""
    known = last_number(db, response)
    events = [each for each in events if each["sequence_number"] > known]
    if not events:
        return
    db.execute(
        "INSERT INTO events SELECT id, ?, ?, ? FROM responses WHERE id = ? AND worker = ?",
        (
            events[0]["sequence_number"],
            events[-1]["sequence_number"],
            orjson.dumps(events),
            response,
            worker,
        ),
    )


def after(db: sqlite3.Connection, response: str, number: int) -> list[Event]:
    """Return the events behind the one of this number; -1 is before the first."""
    rows = db.execute(
        "SELECT body FROM events WHERE response = ? AND last > ? ORDER BY first", (response, number)
    )
    found = [event for (body,) in rows for event in orjson.loads(body)]
    return [event for event in found if event["sequence_number"] > number]


def last_number(db: sqlite3.Connection, response: str) -> int:
    """Return the number of the last event, -1 when there is none."""
    query = "SELECT coalesce(max(last), -1) FROM events WHERE response = ?"
    return int(db.execute(query, (response,)).fetchone()[0])
