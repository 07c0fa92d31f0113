"""Content parts of a message, in OpenAI's chat form whatever form the client used."""

from typing import Literal, TypedDict


class TextPart(TypedDict):
    """Text before, between or after images."""

    type: Literal["text"]
    text: str


class ImageUrl(TypedDict):
    """A data URL: `data:image/png;base64,` and standard, padded base64."""

    url: str


class ImagePart(TypedDict):
    """One image."""

    type: Literal["image_url"]
    image_url: ImageUrl


ContentPart = TextPart | ImagePart
