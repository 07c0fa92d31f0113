"""What is forgotten: what nobody used for long, and, where it gets too much, what was used least.

Chains and conversations go as a whole. What still runs stays.
"""

import sqlite3
import time

DAY_SECONDS = 86_400.0
# A pass takes less than this at a time, or who asks for a response would wait for it.
_PASS_SECONDS = 0.1
# Over the limit, so much of it is freed that the next response is not over it again.
_ENOUGH = 0.9
_PAGES = 2_000

_OLDEST = """
SELECT kind, id, used FROM (
    SELECT 'chains' AS kind, id, used FROM chains WHERE NOT EXISTS (
        SELECT 1 FROM responses WHERE chain = chains.id AND worker IS NOT NULL)
    UNION ALL
    SELECT 'conversations', id, used FROM conversations
) ORDER BY used LIMIT 1
"""


def size(db: sqlite3.Connection) -> int:
    """Return how many bytes of the file hold something."""
    pages, free, each = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * each)


def tidy(db: sqlite3.Connection, *, now: float, days: float, max_bytes: int) -> bool:
    """Forget for a moment what has to be forgotten; tell whether there is more of it."""
    deadline = time.monotonic() + _PASS_SECONDS
    # Never all of it: the newest may be larger than the limit, and is still being spoken of.
    most = max_bytes if size(db) <= max_bytes else int(max_bytes * _ENOUGH)
    while (oldest := db.execute(_OLDEST).fetchone()) is not None:
        kind, key, used = oldest
        if used >= now - days * DAY_SECONDS and size(db) <= most:
            return False
        if time.monotonic() > deadline:
            return True
        db.execute(f"DELETE FROM {kind} WHERE id = ?", (key,))  # noqa: S608  # one of two of ours
    return False


def pages_to_free() -> int:
    """Return how many free pages are given back to the system at a time."""
    return _PAGES
