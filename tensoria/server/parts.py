"""The parts of gunicorn that ours stand in for; whoever uses them looks them up in its module."""

import time
from functools import lru_cache
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

from tensoria.server.refusal import write_refusal
from tensoria.server.response import OneSendResponse


def install() -> None:
    """Put them in place; called in each worker, before it answers anything."""
    wsgi.Response = OneSendResponse
    wsgi.base_environ = environ_of(wsgi.base_environ)
    util.http_date = date_of(util.http_date)
    util.write_error = write_refusal


def environ_of(original: Any) -> Any:
    """Return gunicorn's `base_environ`, which makes the same for each request, made once."""
    made: dict[str, Any] = {}

    def base_environ(cfg: Any) -> dict[str, Any]:
        if not made:
            made.update(original(cfg))
        return dict(made)

    return base_environ


def date_of(original: Any) -> Any:
    """Return gunicorn's `http_date`, formatted once a second."""
    formatted = lru_cache(maxsize=2)(original)

    def http_date(timestamp: float | None = None) -> Any:
        return formatted(int(time.time() if timestamp is None else timestamp))

    return http_date
