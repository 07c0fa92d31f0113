"""Responses and items as the tests keep them."""

from typing import Any

from tensoria.memory import responses
from tensoria.memory.store import Memory


def item(id_: str, text: str = "", **members: Any) -> dict[str, Any]:
    return {"id": id_, "type": "message", "text": text, **members}


def body(id_: str, previous: str | None = None, **members: Any) -> dict[str, Any]:
    answer = item(f"out_{id_}")
    made = {"id": id_, "status": "completed", "previous_response_id": previous, "output": [answer]}
    return {**made, **members}


def keep(
    memory: Memory, id_: str, previous: str | None = None, owner: str = "", **more: Any
) -> None:
    """Keep a response that was asked one item, whose text may be long."""
    asked = [item(f"in_{id_}", more.pop("text", ""))]
    options = {name: more.pop(name) for name in ("worker", "conversation") if name in more}
    kept = body(id_, previous, **more)
    memory.write(lambda db: responses.insert(db, owner, kept, asked, now=memory.clock(), **options))


def recalled(memory: Memory, id_: str, owner: str = "") -> list[str]:
    found = memory.read(lambda db: responses.recall(db, owner, id_))
    return [each["id"] for each in found]


def count(memory: Memory, table: str) -> int:
    return int(memory.read(lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]))  # noqa: S608
