"""The account of the current request: limits of its key, and what it will have used."""

from collections.abc import Mapping
from typing import Any

from tensoria.admission.callers import end_user
from tensoria.admission.usage import here
from tensoria.api.record import record
from tensoria.api.services import key, services, this_request


def open_account(asked: Mapping[str, Any]) -> str | None:
    """Count a request that is about to run on its key, and return its end user where they count.

    Raises RateLimited. The record settles the account when the answer is over.
    """
    used = key()
    if used is None:
        return None
    request = this_request()
    user = end_user(request.headers, asked) if used.end_users else None
    aside = request.environ.get("tensoria.aside", here)
    record().opens(services().accounts.open(used, user, aside))
    return user
