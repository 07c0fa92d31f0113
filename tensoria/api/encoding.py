"""How the events of a stream look on the wire.

An endpoint whose answer is chunks has `SSE` or `NDJSON`; one that speaks of its answer in other
events brings an `Encoding` of its own, which may remember what it has said.
Source: platform.openai.com/docs/api-reference/chat/streaming
"""

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from tensoria.backends.base import AnyChunk
from tensoria.errors import TensoriaError

# A comment, and not an event: with an empty line behind it some SDKs take it for one.
COMMENT = b": keep-alive\n"


class Encoding(Protocol[AnyChunk]):
    """What the chunks of one answer become; an error ends it as `encode_last` does.

    `heartbeat` is what says nothing, between events and before the first of them.
    """

    @property
    def mimetype(self) -> str: ...

    @property
    def heartbeat(self) -> bytes: ...

    def encode(self, chunks: list[AnyChunk]) -> bytes:
        """Return what some chunks become, in one piece."""
        ...

    def encode_last(self, chunks: list[AnyChunk], member: object | None) -> bytes:
        """Return the end of a whole answer, with the member `tensoria` if there is one."""
        ...

    def encode_error(self, error: TensoriaError) -> bytes:
        """Return the end of an answer that failed."""
        ...


@dataclass(frozen=True, slots=True)
class ChunkEncoding:
    """Each chunk is an event; remembers nothing, so that all answers share it."""

    mimetype: str
    before: bytes
    after: bytes
    done: bytes
    heartbeat: bytes

    def encode(self, chunks: list[Any]) -> bytes:
        """See `Encoding.encode`."""
        dumps, before, after = orjson.dumps, self.before, self.after
        if len(chunks) == 1:
            return before + dumps(chunks[0]) + after
        return b"".join([before + dumps(each) + after for each in chunks])

    def encode_last(self, chunks: list[Any], member: object | None) -> bytes:
        """See `Encoding.encode_last`; the last chunk has the member."""
        if member is not None:
            chunks[-1]["tensoria"] = member
        return self.encode(chunks) + self.done

    def encode_error(self, error: TensoriaError) -> bytes:
        """Return the envelope as the last event."""
        return self.encode([error.envelope()])


SSE = ChunkEncoding(
    "text/event-stream", b"data: ", b"\n\n", done=b"data: [DONE]\n\n", heartbeat=COMMENT
)
NDJSON = ChunkEncoding("application/x-ndjson", b"", b"\n", done=b"", heartbeat=b"\n")


def accepted_encoding(accept: str) -> ChunkEncoding:
    """Return what a client with this Accept header is streamed."""
    return NDJSON if "application/x-ndjson" in accept else SSE
