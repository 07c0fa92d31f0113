"""One key, as the rest of the service knows it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is known of a key, which is never the key itself; None is no limit.

    `models` are canonical names. `end_users` says that the key stands for many people, whom its
    front end names. `listed` keys come from API_KEYS_FILE, and have a name that a person chose.
    """

    name: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None
    models: frozenset[str] | None = None
    expires: datetime | None = None
    end_users: bool = False
    listed: bool = False
