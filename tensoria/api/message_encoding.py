"""How an answer of POST /v1/messages is streamed: Anthropic's events, by name.

Source: docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from collections.abc import Callable, Iterable

import orjson

from tensoria.errors import TensoriaError
from tensoria.translate.message_events import ToMessage
from tensoria.wire.messages import Event
from tensoria.wire.openai import Chunk


class MessageEncoding:
    """An `Encoding` of one answer; what ends it is one of message_stop and error.

    `envelope` makes an error's body: it knows the request, which may be over in its own thread.
    """

    mimetype = "text/event-stream"
    heartbeat = b'event: ping\ndata: {"type": "ping"}\n\n'

    def __init__(self, message: ToMessage, envelope: Callable[[TensoriaError], object]) -> None:
        self._message = message
        self._envelope = envelope

    def encode(self, chunks: list[Chunk]) -> bytes:
        """See `Encoding.encode`; chunks that say nothing here are no bytes."""
        return _encoded(self._message.feed(chunks))

    def encode_last(self, chunks: list[Chunk], member: object | None) -> bytes:
        """See `Encoding.encode_last`; message_delta has the member."""
        begun, ended = self._message.feed(chunks), self._message.end()
        if member is not None:
            ended[-2]["tensoria"] = member
        return _encoded([*begun, *ended])

    def encode_error(self, error: TensoriaError) -> bytes:
        """See `Encoding.encode_error`."""
        return b"event: error\ndata: " + orjson.dumps(self._envelope(error)) + b"\n\n"


def _encoded(events: Iterable[Event]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))
        for event in events
    )
