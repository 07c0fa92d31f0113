"""Lists of items in parts, as OpenAI's lists are."""

from flask import Response, request

from tensoria.api.json import json_response
from tensoria.errors import InvalidRequest
from tensoria.memory.items import Page, Span

MOST_ITEMS = 100
_DEFAULT = 20
_MOST_DIGITS = 9


def asked_span() -> Span:
    """Return which part the query asks for; raises InvalidRequest."""
    order = once("order") or "desc"
    if order not in ("asc", "desc"):
        raise InvalidRequest("'order' must be 'asc' or 'desc'.", param="order")
    limit = whole_number("limit", _DEFAULT)
    if not 1 <= limit <= MOST_ITEMS:
        raise InvalidRequest(f"'limit' must be from 1 to {MOST_ITEMS}.", param="limit")
    return Span(limit, order == "desc", once("after") or None)


def whole_number(name: str, default: int) -> int:
    """Return a number of the query; raises InvalidRequest naming it."""
    value = once(name)
    if value is None:
        return default
    # isdecimal alone would take other scripts' digits, int alone "1_000".
    if not (value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS):
        raise InvalidRequest(f"'{name}' must be a whole number.", param=name)
    return int(value)


def flag(name: str) -> bool:
    """Return a flag of the query, false by default; raises InvalidRequest naming it."""
    value = once(name)
    if value not in (None, "true", "false"):
        raise InvalidRequest(f"'{name}' must be true or false.", param=name)
    return value == "true"


def once(name: str) -> str | None:
    """Return a value of the query; raises InvalidRequest where it stands there empty, or twice."""
    values = request.args.getlist(name)
    if len(values) > 1 or values == [""]:
        raise InvalidRequest(f"'{name}' must have one value.", param=name)
    return values[0] if values else None


def item_list(page: Page) -> Response:
    """Return a part of a list."""
    first = page.items[0]["id"] if page.items else None
    last = page.items[-1]["id"] if page.items else None
    return json_response(
        {
            "object": "list",
            "data": page.items,
            "first_id": first,
            "last_id": last,
            "has_more": page.more,
        }
    )


def unknown_after(item_id: str) -> InvalidRequest:
    """Return the error for a list that is to go on behind an item that it does not have."""
    return InvalidRequest(f"Item with id '{item_id[:100]}' not found.", param="after")
