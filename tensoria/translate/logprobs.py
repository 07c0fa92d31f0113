"""Log probabilities: what an engine tells of its tokens, in OpenAI's form and in the older one.

Sources: recordings of Ollama 0.24.0 and 0.32.15; llama.cpp's server (build 11549), which tells
both kinds in OpenAI's form; vLLM, which tells a completion's in the older form.
"""

import codecs
from collections.abc import Callable, Iterable
from typing import Any

from tensoria.errors import BackendError
from tensoria.translate.reading import AnyChunk, Events, Lines
from tensoria.wire.completions import TextLogprobs
from tensoria.wire.openai import TokenLogprob, TopLogprob


def translated(
    reading: Lines[AnyChunk] | Events[AnyChunk],
    translate: Callable[[Any, list[AnyChunk]], None],
    told_by: Any,
    chunks: list[AnyChunk],
    most: int,
) -> list[TokenLogprob]:
    """Translate a line or a choice, which may be any JSON, and return the tokens that it tells of.

    They are read first: where they cannot be, or the rest cannot, `reading` has the error and
    nothing is returned.
    """
    try:
        tokens = to_tokens(told_by.get("logprobs") if isinstance(told_by, dict) else None, most)
    except BackendError as error:
        reading.error = error
        return []
    translate(told_by, chunks)
    return [] if reading.error else tokens


def to_tokens(found: object, most: int) -> list[TokenLogprob]:
    """Return an engine's tokens with every member that OpenAI's have; raises BackendError.

    `most` of the likeliest are kept: an engine may have been asked for more than the client was.
    """
    if isinstance(found, dict):
        found = found["content"] if "content" in found else _from_lists(found)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _unreadable()
    return [_to_token(entry, most) for entry in found]


def _to_token(entry: Any, most: int) -> TokenLogprob:
    token = _to_top(entry)
    likeliest = [_to_top(other) for other in entry.get("top_logprobs") or ()]
    likeliest.sort(key=lambda other: -other["logprob"])
    return {**token, "top_logprobs": likeliest[:most]}


def _to_top(entry: Any) -> TopLogprob:
    if not isinstance(entry, dict):
        raise _unreadable()
    token, logprob, given = entry.get("token"), entry.get("logprob"), entry.get("bytes")
    if not isinstance(token, str) or not isinstance(logprob, int | float):
        raise _unreadable()
    return {"token": token, "logprob": logprob, "bytes": _to_bytes(token, given)}


def _to_bytes(token: str, given: object) -> list[int]:
    """Return the engine's bytes, which may be half a letter; else those of the text."""
    if not isinstance(given, list):
        return list(token.encode())
    if not all(isinstance(byte, int) and 0 <= byte < 256 for byte in given):
        raise _unreadable()
    return given


def _from_lists(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the older form's tokens one by one."""
    tokens, logprobs = found.get("tokens"), found.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(logprobs, list):
        raise _unreadable()
    tops = found.get("top_logprobs") or [None] * len(tokens)
    return [
        {
            "token": token,
            "logprob": logprob,
            "top_logprobs": [{"token": t, "logprob": p} for t, p in (top or {}).items()],
        }
        for token, logprob, top in zip(tokens, logprobs, tops, strict=False)
    ]


def _unreadable() -> BackendError:
    return BackendError("The engine sent log probabilities that cannot be read.")


def no_text_logprobs() -> TextLogprobs:
    """Return the older form's lists with nothing in them."""
    return {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}


class ToTextLogprobs:
    """Tokens of one choice to the older form, which tells where each begins in the text."""

    def __init__(self) -> None:
        # A token may be half a letter: the letter counts with the token that ends it.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0

    def feed(self, tokens: Iterable[TokenLogprob]) -> TextLogprobs:
        """Return what comes next."""
        told = no_text_logprobs()
        for token in tokens:
            likeliest = {other["token"]: other["logprob"] for other in token["top_logprobs"]}
            told["tokens"].append(token["token"])
            told["token_logprobs"].append(token["logprob"])
            told["top_logprobs"].append({**likeliest, token["token"]: token["logprob"]})
            told["text_offset"].append(self._offset)
            self._offset += len(self._decoder.decode(bytes(token["bytes"] or ())))
        return told
