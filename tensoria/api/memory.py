"""What is remembered between responses: nothing, so that nothing can be recalled."""

from collections.abc import Iterable

from tensoria.errors import UnsupportedParameter
from tensoria.wire.responses import Item, Response, ResponseRequest


def recall(request: ResponseRequest) -> list[Item]:
    """Return the items before those of a request, oldest first."""
    return []


def references(items: Iterable[Item]) -> list[Item]:
    """Return items with those in place that are only named; raises for a name that is not known."""
    items = list(items)
    for index, item in enumerate(items):
        if item["type"] == "item_reference":
            raise UnsupportedParameter(
                f"'input[{index}]' names an item, and none are kept: send the item itself.",
                param=f"input[{index}]",
            )
    return items


def keep(response: Response, request: ResponseRequest, items: Iterable[Item]) -> Response:
    """Keep an ended response with the items that it answers; return it as it may be told."""
    return {**response, "store": False}
