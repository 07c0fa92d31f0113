"""How the events of a stream look on the wire: server-sent events, or NDJSON.

Source: platform.openai.com/docs/api-reference/chat/streaming
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one object is put on the wire, what follows the last one, and what says nothing."""

    mimetype: str
    before: bytes
    after: bytes
    done: bytes
    # A comment, and not an event: with an empty line behind it some SDKs take it for one.
    heartbeat: bytes

    def encode(self, objects: Sequence[object]) -> bytes:
        """Return the objects as events, in one piece."""
        dumps, before, after = orjson.dumps, self.before, self.after
        if len(objects) == 1:
            return before + dumps(objects[0]) + after
        return b"".join([before + dumps(each) + after for each in objects])


SSE = Encoding(
    "text/event-stream", b"data: ", b"\n\n", done=b"data: [DONE]\n\n", heartbeat=b": keep-alive\n"
)
NDJSON = Encoding("application/x-ndjson", b"", b"\n", done=b"", heartbeat=b"\n")


def accepted_encoding(accept: str) -> Encoding:
    """Return what a client with this Accept header is streamed."""
    return NDJSON if "application/x-ndjson" in accept else SSE
