"""Images among the items of a response: how many, and whether a model sees them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from marshmallow import ValidationError

from tensoria.errors import TensoriaError
from tensoria.schemas.images import MAX_IMAGES
from tensoria.translate.images import check_images
from tensoria.translate.response_items import OUTPUTS, to_messages
from tensoria.translate.traits import Traits
from tensoria.wire.responses import Item


def check_number(items: Sequence[Item]) -> None:
    """Raise ValidationError when a request holds too many images."""
    number = sum(part["type"] == "input_image" for item in items for part in _shown(item))
    if number > MAX_IMAGES:
        raise ValidationError(f"expected at most {MAX_IMAGES} images, got {number}.")


def unseen(items: Sequence[Item], traits: Callable[[], Traits], name: str = "input") -> set[str]:
    """Refuse images for a model that cannot see; the model is looked at only if there are any.

    `name` is the field that holds the items.
    """
    for index, item in enumerate(items):
        for place, part in enumerate(_shown(item)):
            if part["type"] == "input_image":
                shown = {"type": "message", "role": "user", "content": [part]}
                member = "output" if "output" in item else "content"
                where = f"{name}[{index}].{member}[{place}].image_url"
                _look(shown, traits(), where)
    return set()


def _look(item: Item, traits: Traits, where: str) -> None:
    try:
        check_images(to_messages([item]), traits)
    except TensoriaError as error:
        error.message = error.message.replace(f"'{error.param}'", f"'{where}'")
        error.param = where
        raise


def _shown(item: Item) -> Iterable[dict[str, Any]]:
    """Return the parts of an item that a model may look at."""
    if item["type"] == "message":
        return item["content"]  # type: ignore[no-any-return]
    if item["type"] in OUTPUTS and isinstance(item["output"], list):
        return item["output"]
    return ()
