"""Blocks that are images, and whether a model sees them.

Source: Anthropic's ImageBlockParam, whose source is base64, an address or a file.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from marshmallow import ValidationError

from tensoria.errors import InvalidRequest, UnsupportedParameter
from tensoria.schemas.base import kind
from tensoria.schemas.images import MAX_IMAGES
from tensoria.translate.images import BrokenImage, is_unseen, to_data_url
from tensoria.translate.traits import Traits
from tensoria.wire.message_blocks import ImageBlock
from tensoria.wire.messages import MessageTurn


def to_image(place: str, block: dict[str, Any]) -> ImageBlock:
    """Return an image; raises ValidationError, or UnsupportedParameter for what is elsewhere."""
    source = block.get("source")
    if not isinstance(source, dict):
        raise ValidationError({"source": [f"expected an object, got {kind(source)}."]})
    form = source.get("type")
    if form == "file":
        raise UnsupportedParameter(
            f"'{place}.source' is a file, and no files are kept here; send the image in base64.",
            param=f"{place}.source",
        )
    if form not in ("base64", "url"):
        raise ValidationError({"source": {"type": ["expected base64."]}})
    member = "data" if form == "base64" else "url"
    data = source.get(member)
    if not isinstance(data, str):
        raise ValidationError({"source": {member: [f"expected a string, got {kind(data)}."]}})
    if form == "url" and not data.lstrip()[:5].lower() == "data:":
        raise UnsupportedParameter(
            f"'{place}.source' is an address, and nothing is fetched from one; send the image in "
            "base64.",
            param=f"{place}.source",
        )
    # The type is read off the image itself: clients often name another one.
    url = data if form == "url" else f"data:image/png;base64,{data}"
    try:
        return {"type": "image", "url": to_data_url(url)}
    except BrokenImage as error:
        raise ValidationError({"source": {member: [str(error)]}}) from None


def check_number(turns: Iterable[MessageTurn]) -> None:
    """Raise ValidationError when a request holds too many images."""
    number = sum(1 for _ in _images(turns))
    if number > MAX_IMAGES:
        raise ValidationError(f"expected at most {MAX_IMAGES} images, got {number}.")


def unseen(turns: list[MessageTurn], traits: Callable[[], Traits]) -> set[str]:
    """Refuse images for a model of Ollama's that cannot see; it is looked at only if there are any.

    Ollama does not look: its releases before 0.30 answer as if there were none.
    """
    for place, image in _images(turns):
        told = traits()
        if told.kind != "ollama":
            break
        if told.lacks("vision"):
            raise UnsupportedParameter(
                f"'{place}' needs a model with the capability 'vision', which {told.model} lacks.",
                param=place,
            )
        if is_unseen(image["url"], told):
            raise InvalidRequest(
                f"Invalid value for '{place}': this engine may not read the format; send PNG or "
                "JPEG.",
                param=place,
            )
    return set()


def _images(turns: Iterable[MessageTurn]) -> Iterator[tuple[str, ImageBlock]]:
    for index, turn in enumerate(turns):
        for place, block in enumerate(turn["content"]):
            where = f"messages[{index}].content[{place}]"
            if block["type"] == "image":
                yield where, block
            elif block["type"] == "tool_result":
                for inner, part in enumerate(block["content"]):
                    if part["type"] == "image":
                        yield f"{where}.content[{inner}]", part
