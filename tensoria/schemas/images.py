"""Content parts that are images: `image_url` of chats, `input_image` of responses."""

from collections.abc import Callable, Sequence
from typing import Any

from marshmallow import ValidationError

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import kind
from tensoria.translate.images import BrokenImage, check_images, to_data_url
from tensoria.translate.traits import Traits
from tensoria.wire.content import ContentPart, ImagePart, TextPart
from tensoria.wire.openai import Message

# In one request: an engine makes hundreds of tokens of each.
MAX_IMAGES = 20
_TYPES = ("image_url", "input_image")


def is_image(part: object) -> bool:
    """Tell whether a content part claims to be an image."""
    return isinstance(part, dict) and part.get("type") in _TYPES


def to_parts(index: int, role: str, content: Sequence[dict[str, Any]]) -> list[ContentPart]:
    """Return the parts of a message that holds images, each in its place.

    Its texts are checked already. Raises ValidationError, or UnsupportedParameter for what no
    engine here could see.
    """
    return [
        _image(index, place, role, part) if is_image(part) else _text(part)
        for place, part in enumerate(content)
    ]


def check_number(messages: Sequence[Message]) -> None:
    """Raise ValidationError when a request holds too many images."""
    number = sum(
        part["type"] == "image_url"
        for message in messages
        if "parts" in message
        for part in message["parts"]
    )
    if number > MAX_IMAGES:
        raise ValidationError(f"expected at most {MAX_IMAGES} images, got {number}.")


def ignored_in_image(part: dict[str, Any]) -> set[str]:
    """Name what an image's part holds and the engine never sees; `detail: auto` says nothing."""
    names = {name for name in part if name not in ("type", "image_url")}
    told = {f"messages.content.{name}" for name in names if _says(name, part[name])}
    image = part["image_url"]
    if isinstance(image, dict):
        told |= {
            f"messages.content.image_url.{name}"
            for name, value in image.items()
            if name != "url" and _says(name, value)
        }
    return told


def unseen(messages: Sequence[Message], traits: Callable[[], Traits]) -> set[str]:
    """Refuse images for a model that cannot see; the model is looked at only if there are any."""
    if any("parts" in message for message in messages):
        check_images(messages, traits())
    return set()


def _says(name: str, value: object) -> bool:
    return value is not None and (name, value) != ("detail", "auto")


def _text(part: dict[str, Any]) -> TextPart:
    return {"type": "text", "text": part["refusal" if part["type"] == "refusal" else "text"]}


def _image(index: int, place: int, role: str, part: dict[str, Any]) -> ImagePart:
    where = f"messages[{index}].content[{place}]"
    if role in ("system", "developer"):
        raise UnsupportedParameter(
            f"'{where}' is an image, which a message of the role '{role}' cannot hold; send it as "
            "the user.",
            param=f"{where}.type",
        )
    image = part.get("image_url")
    if image is None:
        refuse_file(where, part)
    try:
        return {"type": "image_url", "image_url": {"url": checked_url(image)}}
    except BrokenImage as error:
        wrong: Any = [str(error)]
        wrong = {"url": wrong} if isinstance(image, dict) else wrong
        raise ValidationError({index: {"content": {place: {"image_url": wrong}}}}) from None


def refuse_file(where: str, part: dict[str, Any]) -> None:
    """Raise for a part that names a file in place of an image."""
    if part.get("file_id") is not None:
        raise UnsupportedParameter(
            f"'{where}.file_id' is not supported: no files are kept here. Send a data URL.",
            param=f"{where}.file_id",
        )


def checked_url(image: object) -> str:
    """Return the data URL of an `image_url`, which is one or has one; raises BrokenImage."""
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise BrokenImage(f"expected a data URL, got {kind(url)}.")
    return to_data_url(url)
