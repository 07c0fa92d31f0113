"""Content parts of a response's items, each in the one form in which it is told again.

Source: OpenAI's InputContent and OutputMessageContent.
"""

from collections.abc import Iterable
from typing import Any

from marshmallow import ValidationError

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import kind
from tensoria.schemas.images import checked_url, refuse_file
from tensoria.translate.images import BrokenImage

Part = dict[str, Any]

_TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
_DETAILS = ("auto", "low", "high", "original")
_UNSERVED = frozenset({"input_file", "input_audio", "file", "computer_screenshot"})
# What an answer's part has beside its text: a record, which says nothing to a model.
_RECORDED = frozenset({"annotations", "logprobs"})


def to_parts(
    place: str, content: object, *, answer: bool = False, images: bool = True
) -> list[Part]:
    """Return checked parts for a text, a list of parts, or nothing.

    `place` names it for UnsupportedParameter; ValidationError has what is below it. `answer` says
    that it is the assistant's, `images` that it may hold some.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [_of_text("input_text", content, answer)]
    if not isinstance(content, list):
        raise ValidationError([f"expected a string or an array of parts, got {kind(content)}."])
    parts = []
    for index, part in enumerate(content):
        try:
            parts.append(_part(f"{place}[{index}]", part, answer, images))
        except ValidationError as error:
            raise ValidationError({index: error.messages}) from None
    return parts


def ignored_in_parts(place: str, content: object) -> set[str]:
    """Name what the parts of a checked content hold and no model sees."""
    parts: Iterable[Part] = content if isinstance(content, list) else ()
    return {
        f"{place}.{name}"
        for part in parts
        for name, value in part.items()
        if _says(part["type"], name, value)
    }


def _says(type_: str, name: str, value: object) -> bool:
    if value is None or name in ("type", "image_url", _TEXTS.get(type_)):
        return False
    if type_ == "output_text" and name in _RECORDED:
        return False
    return (name, value) != ("detail", "auto")


def _part(place: str, part: object, answer: bool, images: bool) -> Part:
    if not isinstance(part, dict):
        raise ValidationError([f"expected an object, got {kind(part)}."])
    type_ = part.get("type")
    if isinstance(type_, str):
        if type_ in ("input_image", "image_url"):
            return _image(place, part, images and not answer)
        if type_ in _TEXTS:
            key = _TEXTS[type_]
            text = part.get(key)
            if not isinstance(text, str):
                raise ValidationError({key: [f"expected a string, got {kind(text)}."]})
            return _of_text(type_, text, answer)
        if type_ in _UNSERVED:
            raise UnsupportedParameter(
                f"'{place}' is of the type '{type_}', which is not supported: send text or images.",
                param=f"{place}.type",
            )
    expected = "output_text, refusal" if answer else "input_text, input_image"
    raise ValidationError({"type": [f"expected one of {expected}."]})


def _of_text(type_: str, text: str, answer: bool) -> Part:
    if not answer:
        return {"type": "input_text", "text": text}
    if type_ == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _image(place: str, part: Part, may_be: bool) -> Part:
    if not may_be:
        raise UnsupportedParameter(
            f"'{place}' is an image, which only the user and results of tools can show.",
            param=f"{place}.type",
        )
    image = part.get("image_url")
    if image is None:
        refuse_file(place, part)
    try:
        checked = checked_url(image)
    except BrokenImage as error:
        raise ValidationError({"image_url": [str(error)]}) from None
    detail = part.get("detail")
    return {
        "type": "input_image",
        "image_url": checked,
        "detail": detail if detail in _DETAILS else "auto",
    }
