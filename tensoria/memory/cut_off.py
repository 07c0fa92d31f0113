"""Responses whose worker died while it ran them: they have failed, and somebody has to say so."""

import sqlite3
from pathlib import Path
from typing import Any

import orjson

from tensoria.memory import events
from tensoria.memory.workers import is_alive

# Of the codes that a response's error may have (platform.openai.com/docs/api-reference/responses).
_ERROR = {"code": "server_error", "message": "The service ended while it ran this response."}


def end_cut_off(db: sqlite3.Connection, folder: Path, response_id: str | None = None) -> int:
    """Let what no living worker runs have failed, with its last event; return how many did."""
    rows = db.execute(
        "SELECT id, worker, body FROM responses WHERE worker IS NOT NULL AND id = coalesce(?, id)",
        (response_id,),
    ).fetchall()
    living = {token: is_alive(folder, token) for token in {row[1] for row in rows}}
    dead = [(response, token, body) for response, token, body in rows if not living[token]]
    for response, token, body in dead:
        _fail(db, response, token, orjson.loads(body))
    return len(dead)


def _fail(db: sqlite3.Connection, response: str, token: str, body: dict[str, Any]) -> None:
    failed = {**body, "status": "failed", "error": _ERROR}
    number = events.last_number(db, response) + 1
    last = {
        "type": "response.failed",
        "sequence_number": number,
        "response": {**failed, "output": []},
    }
    events.append(db, response, [last], worker=token)
    db.execute(
        "UPDATE responses SET status = 'failed', worker = NULL, body = ? WHERE id = ?",
        (orjson.dumps(failed), response),
    )
