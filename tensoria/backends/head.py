"""The head of an engine's answer, parsed as far as it decides how the body is read (RFC 9112).

Pure. Strict where a lenient reading could take the end of one answer for the beginning of the next.
"""

import re
from dataclasses import dataclass
from typing import Self

from tensoria.backends.framing import FramingError

# As Go's net/http and nginx's largest buffers have it, many times over.
MAX_HEAD_BYTES = 64 * 1024
_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: .*)?")
_BEGINNING = b"HTTP/1."
_WITHOUT_BODY = (204, 304)


def end_of(data: bytes, searched: int = 0) -> int | None:
    """Return where the body begins; None while the head is not whole.

    `searched` is the length that was seen before. Raises FramingError for what is no head.
    """
    if not data.startswith(_BEGINNING[: len(data)]):
        raise FramingError("no HTTP")
    end = _END.search(data, max(0, searched - 2))
    if (end.end() if end else len(data)) > MAX_HEAD_BYTES:
        raise FramingError("a head without an end")
    return end.end() if end else None


@dataclass(frozen=True, slots=True)
class Head:
    """What a head says: `length` in bytes is None when the body ends with the connection.

    `keep` tells whether the engine takes another request on this connection.
    """

    status: int
    chunked: bool
    length: int | None
    keep: bool

    @classmethod
    def of(cls, head: bytes) -> Self:
        """Parse a whole head; raises FramingError."""
        first, *lines = head.rstrip(b"\r\n").lower().split(b"\n")
        status = _STATUS.fullmatch(first.upper().rstrip(b"\r"))
        if status is None:
            raise FramingError("no status")
        said = _fields(lines)
        code, chunked, length = int(status[2]), _is_chunked(said), _length(said)
        words = [word.strip() for line in said[b"connection"] for word in line.split(b",")]
        keep = b"keep-alive" in words if status[1] == b"0" else b"close" not in words
        if code in _WITHOUT_BODY:
            return cls(code, False, 0, keep)
        if chunked:
            # Both at once is how one answer is smuggled behind another: the connection is closed.
            return cls(code, True, None, keep and length is None)
        return cls(code, False, length, keep and length is not None)


def _fields(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    """Return the values of those headers that matter here."""
    said: dict[bytes, list[bytes]] = {
        b"connection": [],
        b"content-length": [],
        b"transfer-encoding": [],
    }
    for line in lines:
        name, colon, value = line.partition(b":")
        # A blank before the colon, or a line that goes on the one before, is read differently by
        # different readers.
        if not colon or not name or name[0] in b" \t" or name[-1] in b" \t":
            raise FramingError("a line that is no header")
        if name in said:
            said[name].append(value.strip(b" \t\r"))
    return said


def _is_chunked(said: dict[bytes, list[bytes]]) -> bool:
    codings = said[b"transfer-encoding"]
    if codings not in ([], [b"chunked"]):
        raise FramingError("a transfer coding that nobody asked for")
    return bool(codings)


def _length(said: dict[bytes, list[bytes]]) -> int | None:
    values = {part.strip() for value in said[b"content-length"] for part in value.split(b",")}
    if not values:
        return None
    value = values.pop()
    if values or not value.isdigit() or len(value) > 15:
        raise FramingError("a length that is none")
    return int(value)
