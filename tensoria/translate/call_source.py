"""Text that comes in pieces, read by a grammar that waits where a piece ends.

A reader is a generator: it yields where it needs more, and returns what it read, or None if the
text does not go on as it should. No character is looked at twice, however the text was cut.
"""

import re
from collections.abc import Generator, Iterable
from typing import TypeVar

Read = TypeVar("Read")
Reading = Generator[None, None, Read]

_BLANKS = re.compile(r"[ \t\r\n]*")
_STRUCTURE = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'["\\]')


class Source:
    """The pieces so far. `mark` is where the last token began, counted from the first piece.

    A piece may be fed when the last one is used up, which is where every reader yields.
    """

    def __init__(self) -> None:
        self._piece = ""
        self._at = 0
        self._before = 0
        self._ended = False
        self.mark = 0

    def feed(self, piece: str) -> None:
        """Take the next piece."""
        self._before += len(self._piece)
        self._piece = piece
        self._at = 0

    def end(self) -> None:
        """Say that no piece follows."""
        self._ended = True

    def more(self) -> Reading[bool]:
        """Wait for a character; False at the end."""
        while self._at == len(self._piece):
            if self._ended:
                return False
            yield
        return True

    def blanks(self) -> Reading[None]:
        """Pass over white space."""
        while (yield from self.more()):
            found = _BLANKS.match(self._piece, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._piece):
                return

    def one_of(self, words: Iterable[str]) -> Reading[str | None]:
        """Read the longest of these words, no further than the text can still be one of them."""
        self.mark = self._before + self._at
        read, left = "", list(words)
        while left != [read]:
            if not (yield from self.more()):
                break
            longer = read + self._piece[self._at]
            still = [word for word in left if word.startswith(longer)]
            if not still:
                break
            read, left = longer, still
            self._at += 1
        return read if read in left else None

    def until(self, word: str) -> Reading[str | None]:
        """Read on to a word, and past it; what stands before it is returned."""
        pieces: list[str] = []
        tail = ""
        while (yield from self.more()):
            rest = self._piece[self._at :]
            found = (tail + rest).find(word)
            if found >= 0:
                used = found + len(word) - len(tail)
                self._at += used
                return "".join([*pieces, rest[:used]])[: -len(word)]
            self._at = len(self._piece)
            pieces.append(rest)
            tail = (tail + rest)[1 - len(word) :]
        return None

    def value(self, opened: str = "") -> Reading[str | None]:
        """Read a JSON string, object or list to its end, whose first character may be used up.

        Only brackets and quotes are counted: whoever parses the text sees the rest.
        """
        if not opened:
            opened = (yield from self.one_of('{["')) or ""
        end = ValueEnd()
        if not opened or end.find(opened, 0) is not None:
            return None
        pieces = [opened]
        while (yield from self.more()):
            start, found = self._at, end.find(self._piece, self._at)
            self._at = len(self._piece) if found is None else found
            pieces.append(self._piece[start : self._at])
            if found is not None:
                return "".join(pieces)
        return None


class ValueEnd:
    """Finds the end of a JSON value that is fed in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def find(self, piece: str, at: int) -> int | None:
        """Return where the value ends in this piece, or None."""
        while at < len(piece):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            found = (_IN_STRING if self._in_string else _STRUCTURE).search(piece, at)
            if found is None:
                return None
            at = found.end()
            if self._closes(found[0]):
                return at
        return None

    def _closes(self, character: str) -> bool:
        if character == "\\":
            self._escaped = True
            return False
        if character == '"':
            self._in_string = not self._in_string
        else:
            self._depth += 1 if character in "{[" else -1
        return not self._in_string and self._depth <= 0
