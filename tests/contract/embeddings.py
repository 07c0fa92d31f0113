"""Embeddings in base64, which OpenAI's document does not describe, as the array that it does."""

import base64
import binascii
import struct
from typing import Any


def with_numbers(body: Any) -> Any:
    """Return the body with each vector that is base64 of little-endian float32 as an array.

    What is no such base64 stays as it is, and is no array of numbers.
    """
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        return body
    return {**body, "data": [_with_numbers(entry) for entry in body["data"]]}


def _with_numbers(entry: Any) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get("embedding"), str):
        return entry
    try:
        return {**entry, "embedding": numbers(entry["embedding"])}
    except (binascii.Error, struct.error):
        return entry


def numbers(text: str) -> list[float]:
    """Return the float32 numbers that base64 holds, as clients read them."""
    return [number for (number,) in struct.iter_unpack("<f", base64.b64decode(text, validate=True))]
