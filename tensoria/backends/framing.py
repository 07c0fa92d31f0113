"""Incremental decoders from bytes to what they carry: HTTP bodies, NDJSON lines, SSE events.

Pure, and indifferent to where the bytes were cut. They work on bytes: `str.splitlines` would
also split at U+0085, which Go does not escape.
"""

import re

MAX_FRAMING_LINE_BYTES = 4096
# Python's int() would also take "+5", "1_0" and "0x5".
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\Z", re.DOTALL)


class FramingError(Exception):
    """The bytes are not what the framing promises."""


class Dechunker:
    """The body of a chunked HTTP/1.1 message (RFC 9112, 7.1), decoded block by block.

    http.client reads one chunk a call; an engine's lines are a chunk each, so taking all that one
    receive brought is five times cheaper.
    """

    def __init__(self) -> None:
        self._rest = b""  # the beginning of a size line, of a chunk's end, or of the trailer
        self._left = 0  # bytes of the current chunk still to come
        self._expect_end_of_chunk = False
        self._in_trailer = False
        self.finished = False
        self.excess = False
        self.broken: FramingError | None = None

    def feed(self, data: bytes) -> bytes:
        """Return the payload in `data`; sets `finished` after the last chunk's trailer.

        `excess` tells that bytes came behind it: such a connection must not be used again.
        Raises FramingError; if payload came before the fault, the payload is returned and `broken`
        holds the error.
        """
        payload: list[bytes] = []
        at = 0
        if not (self._rest or self._left or self._expect_end_of_chunk or self._in_trailer):
            at = _whole_chunks(data, payload)
            if at == len(data):
                return payload[0] if len(payload) == 1 else b"".join(payload)
        try:
            self._decode(self._rest + data[at:], payload)
        except FramingError as error:
            if not payload:
                raise
            self.broken = error
        return b"".join(payload)

    def end(self) -> bool:
        """Called when the connection ends; tell whether the body is whole: it never is."""
        return False

    def _decode(self, data: bytes, payload: list[bytes]) -> None:
        self._rest = b""
        at, length = 0, len(data)
        while at < length and not self.finished:
            if self._left:
                text = data[at : at + self._left]
                payload.append(text)
                at += len(text)
                self._left -= len(text)
                self._expect_end_of_chunk = not self._left
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._keep(data[at:])
                return
            self._line(data[at:end])
            at = end + 2
        self.excess = self.finished and at < length

    def _line(self, line: bytes) -> None:
        """Take one line of framing: a chunk's end, a size, or a part of the trailer."""
        if self._expect_end_of_chunk:
            if line:
                raise FramingError("a chunk longer than its size")
            self._expect_end_of_chunk = False
        elif self._in_trailer:
            self.finished = not line
        else:
            size = _CHUNK_SIZE.match(line)
            if size is None:
                raise FramingError("a chunk without a size")
            self._left = int(size[1], 16)
            self._in_trailer = not self._left

    def _keep(self, rest: bytes) -> None:
        if len(rest) > MAX_FRAMING_LINE_BYTES:
            raise FramingError("a line of framing without an end")
        self._rest = rest


def _whole_chunks(data: bytes, payload: list[bytes]) -> int:
    """Take the chunks that `data` begins with and that are all there; return where they end.

    Nearly always that is all of it but the last chunk.
    """
    at = 0
    while line := _SIZE_LINE.match(data, at):
        begin = line.end()
        end = begin + int(line[1], 16)
        if begin == end or data[end : end + 2] != b"\r\n":
            break
        payload.append(data[begin:end])
        at = end + 2
    return at


class Counted:
    """A body whose length in bytes its head tells; None: one that ends with the connection."""

    def __init__(self, length: int | None) -> None:
        self._left = length
        self.finished = length == 0
        self.excess = False
        self.broken: FramingError | None = None

    def feed(self, data: bytes) -> bytes:
        """Return what of it belongs to the body; see `Dechunker.feed`."""
        if self._left is None:
            return data
        payload = data[: self._left]
        self._left -= len(payload)
        self.finished = not self._left
        self.excess = len(payload) < len(data)
        return payload

    def end(self) -> bool:
        """Called when the connection ends; tell whether the body is whole."""
        self.finished = self._left is None
        return self.finished


class LineDecoder:
    """NDJSON: whole lines without their line break; empty lines are dropped."""

    def __init__(self, max_line_bytes: int) -> None:
        self._max = max_line_bytes
        self._rest: list[bytes] = []
        self._rest_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that end in `data`."""
        *lines, rest = data.split(b"\n")
        if lines and self._rest:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest, self._rest_bytes = [], 0
        if rest:
            self._rest.append(rest)
            self._rest_bytes += len(rest)
            if self._rest_bytes > self._max:
                raise FramingError("a line without an end")
        return [line for line in lines if line.strip()]

    def flush(self) -> list[bytes]:
        """Return the last line if the body ended without a line break."""
        line, self._rest, self._rest_bytes = b"".join(self._rest), [], 0
        return [line] if line.strip() else []


class EventDecoder:
    """Server-sent events: the data of each event (html.spec.whatwg.org, section 9.2.6).

    Comments, ids and event names are dropped: OpenAI's streams carry everything in `data`.
    """

    def __init__(self, max_line_bytes: int) -> None:
        self._lines = LineDecoder(max_line_bytes)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events whose `data:` line ends in `data`."""
        return _data_of(self._lines.feed(data))

    def flush(self) -> list[bytes]:
        """Return the last event's data if the body ended without a line break."""
        return _data_of(self._lines.flush())


def _data_of(lines: list[bytes]) -> list[bytes]:
    """OpenAI's events have one data line each, so an event ends with its line."""
    return [line[5:].strip() for line in lines if line.startswith(b"data:")]
