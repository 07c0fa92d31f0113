"""Images: the data URLs that clients write, and the form that each engine takes.

Sources: RFC 2397 and RFC 4648; Ollama's server/images and recordings (0.9.6 to 0.32.15).
"""

import re
from binascii import a2b_base64
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from tensoria.errors import InvalidRequest, UnsupportedParameter
from tensoria.translate.traits import Traits
from tensoria.wire.content import ContentPart, ImagePart
from tensoria.wire.openai import Message

MAX_IMAGE_BYTES = 20 * 1024 * 1024
_HEAD = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE)
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_WEBP_SINCE = (0, 10, 0)


class BrokenImage(ValueError):
    """What a client sent is no image that an engine could see; the text says why."""


def to_data_url(url: str) -> str:
    """Return the one form of a data URL: the true type, standard base64, padded, and no more.

    Clients write it in any case, with parameters, in the url-safe alphabet, without padding, in
    lines, percent-encoded, and with a type that is not the image's. Raises BrokenImage.
    """
    url = url.strip()
    head = _HEAD.match(url)
    if head is None:
        raise BrokenImage(
            "nothing is fetched from an address: send the image itself, as a data URL "
            "(data:image/png;base64,…)."
        )
    if "base64" not in (word.strip().lower() for word in head[1].split(";")):
        raise BrokenImage("expected a data URL in base64 (data:image/png;base64,…).")
    text = _standard(url[head.end() :])
    if len(text) // 4 * 3 - text[-2:].count("=") > MAX_IMAGE_BYTES:
        raise BrokenImage(f"an image may have {MAX_IMAGE_BYTES // 1024**2} MB at most.")
    try:
        data = a2b_base64(text, strict_mode=True)
    except ValueError:
        raise BrokenImage("the base64 of the data URL cannot be read.") from None
    return f"data:{_type(data)};base64,{text}"


def check_images(messages: Sequence[Message], traits: Traits) -> None:
    """Refuse images that a model of Ollama's could not see, by the place of the first.

    Ollama does not look: its releases before 0.30 answer as if there were none.
    """
    if traits.kind != "ollama":
        return
    for place, part in _images(messages):
        if traits.lacks("vision"):
            raise UnsupportedParameter(
                f"'{place}' needs a model with the capability 'vision', which {traits.model} "
                "lacks.",
                param=place,
            )
        if is_unseen(part["image_url"]["url"], traits):
            raise InvalidRequest(
                f"Invalid value for '{place}': this engine may not read the format; send PNG or "
                "JPEG.",
                param=place,
            )


def to_images(parts: Sequence[ContentPart]) -> list[str]:
    """Return the images of a message for Ollama, whose text stands apart from them."""
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    return [url.partition(",")[2] for url in urls]


def with_parts(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message for an engine that speaks OpenAI: texts and images in their order."""
    if "parts" not in message:
        return message
    left = {key: value for key, value in message.items() if key != "parts"}
    return left | {"content": message["parts"]}


def _standard(text: str) -> str:
    if "%" in text:
        text = unquote(text)
    text = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    return text + "=" * (-len(text) % 4)


def _type(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    for magic, name in _MAGIC.items():
        if data.startswith(magic):
            return name
    raise BrokenImage("expected a PNG, JPEG, WebP or GIF image.")


def is_unseen(url: str, traits: Traits) -> bool:
    """Ollama decodes WebP since 0.10, and promises nothing for GIF."""
    if url.startswith("data:image/gif"):
        return True
    return url.startswith("data:image/webp") and traits.is_older(_WEBP_SINCE)


def _images(messages: Sequence[Message]) -> Iterator[tuple[str, ImagePart]]:
    for index, message in enumerate(messages):
        for place, part in enumerate(message.get("parts", ())):
            if part["type"] == "image_url":
                yield f"messages[{index}].content[{place}].image_url.url", part
