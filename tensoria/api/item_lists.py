"""Lists of items in parts, as OpenAI's lists are."""

from flask import Response, request

from tensoria.api.json import json_response
from tensoria.errors import InvalidRequest
from tensoria.memory.items import Page, Span

MOST_ITEMS = 100
_DEFAULT = 20


def asked_span() -> Span:
    """Return which part the query asks for; raises InvalidRequest."""
    order = request.args.get("order") or "desc"
    if order not in ("asc", "desc"):
        raise InvalidRequest("'order' must be 'asc' or 'desc'.", param="order")
    limit = whole_number("limit", _DEFAULT)
    if not 1 <= limit <= MOST_ITEMS:
        raise InvalidRequest(f"'limit' must be from 1 to {MOST_ITEMS}.", param="limit")
    return Span(limit, order == "desc", request.args.get("after") or None)


def whole_number(name: str, default: int) -> int:
    """Return a number of the query; raises InvalidRequest naming it."""
    value = request.args.get(name)
    if not value:
        return default
    # isdecimal alone would take other scripts' digits, int alone "1_000".
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise InvalidRequest(f"'{name}' must be a whole number.", param=name)
    return int(value)


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
