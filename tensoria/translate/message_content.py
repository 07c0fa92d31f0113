"""The content blocks of one answer: the events of each, and the block that they add up to."""

import hashlib
from typing import Any, Protocol

import orjson

from tensoria.wire.message_blocks import AnswerBlock
from tensoria.wire.messages import Event


class Content(Protocol):
    """A block that is being said."""

    def start(self) -> Event:
        """Return the event that opens it."""
        ...

    def stop(self) -> list[Event]:
        """Return the events that close it."""
        ...

    def block(self) -> AnswerBlock | None:
        """Return the whole block, if it can be told."""
        ...


class TextContent:
    """Text."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._text: list[str] = []

    def start(self) -> Event:
        """See `Content.start`."""
        return _start(self._index, {"type": "text", "text": ""})

    def add(self, text: str, events: list[Event]) -> None:
        """Add some text, and its event."""
        self._text.append(text)
        events.append(_delta(self._index, {"type": "text_delta", "text": text}))

    def stop(self) -> list[Event]:
        """See `Content.stop`."""
        return [_stop(self._index)]

    def block(self) -> AnswerBlock:
        """See `Content.block`."""
        return {"type": "text", "text": "".join(self._text)}


class ThoughtContent:
    """A thought, whose text is left out where the client has asked for that.

    Anthropic signs thoughts and checks them when they come back. Here nothing is checked; clients
    throw away a thought without a signature, so that it has its digest for one.
    """

    def __init__(self, index: int, omitted: bool) -> None:
        self._index = index
        self._omitted = omitted
        self._text: list[str] = []
        self._digest = hashlib.sha256()

    def start(self) -> Event:
        """See `Content.start`."""
        return _start(self._index, {"type": "thinking", "thinking": "", "signature": ""})

    def add(self, text: str, events: list[Event]) -> None:
        """Add some of the thought, and its event."""
        # A lone surrogate cannot be UTF-8, and an engine may send one as an escape.
        self._digest.update(text.encode(errors="replace"))
        if not self._omitted:
            self._text.append(text)
            events.append(_delta(self._index, {"type": "thinking_delta", "thinking": text}))

    def stop(self) -> list[Event]:
        """See `Content.stop`."""
        signature = {"type": "signature_delta", "signature": self._digest.hexdigest()}
        return [_delta(self._index, signature), _stop(self._index)]

    def block(self) -> AnswerBlock:
        """See `Content.block`."""
        return {
            "type": "thinking",
            "thinking": "".join(self._text),
            "signature": self._digest.hexdigest(),
        }


class CallContent:
    """A call of a tool; its arguments come in pieces of JSON."""

    def __init__(self, index: int, id_: str, name: str) -> None:
        self._index = index
        self._id = id_
        self._name = name
        self._arguments: list[str] = []

    def start(self) -> Event:
        """See `Content.start`."""
        return _start(
            self._index, {"type": "tool_use", "id": self._id, "name": self._name, "input": {}}
        )

    def add(self, arguments: str, events: list[Event]) -> None:
        """Add a piece of the arguments, and its event."""
        if arguments:
            self._arguments.append(arguments)
            delta = {"type": "input_json_delta", "partial_json": arguments}
            events.append(_delta(self._index, delta))

    def stop(self) -> list[Event]:
        """See `Content.stop`."""
        return [_stop(self._index)]

    def block(self) -> AnswerBlock | None:
        """Return the call, or None where max_tokens has cut its arguments: it must not be run."""
        try:
            arguments = orjson.loads("".join(self._arguments) or "{}")
        except orjson.JSONDecodeError:
            return None
        if not isinstance(arguments, dict):
            return None
        return {"type": "tool_use", "id": self._id, "name": self._name, "input": arguments}


def _start(index: int, block: dict[str, Any]) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, delta: dict[str, Any]) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _stop(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}
