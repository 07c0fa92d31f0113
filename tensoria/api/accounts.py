"""The account of the current request: limits of its key, and what it will have used."""

from collections.abc import Mapping
from typing import Any

from flask import g, request

from tensoria.admission.callers import end_user
from tensoria.admission.key import Key
from tensoria.admission.usage import here
from tensoria.api.record import record
from tensoria.api.services import services


def open_account(asked: Mapping[str, Any]) -> str | None:
    """Count a request that is about to run on its key, and return its end user where they count.

    Raises RateLimited. The record settles the account when the answer is over.
    """
    key: Key | None = g.key
    if key is None:
        return None
    user = end_user(request.headers, asked) if key.end_users else None
    aside = request.environ.get("tensoria.aside", here)
    record().opens(services().accounts.open(key, user, aside))
    return user
