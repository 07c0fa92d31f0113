"""Tool calls as engines that speak OpenAI stream them, in pieces, to deltas of ours."""

from collections.abc import Iterable
from typing import Any

from tensoria.translate.tools import CallIds, to_arguments
from tensoria.wire.openai import ToolCallDelta


class CallPieces:
    """Pieces of calls to deltas: indexes by arrival, an id and a name with the first piece.

    Some engines send no index, some repeat the id or the name with every piece, and some send the
    arguments as an object. A piece whose call is not known belongs to the last one.
    """

    def __init__(self, answer: str) -> None:
        self._ids = CallIds(answer)
        self._indexes: dict[object, int] = {}
        self._last = -1
        # The indexes of calls without a character of arguments.
        self._bare: dict[int, None] = {}

    @property
    def count(self) -> int:
        """How many calls have begun."""
        return self._last + 1

    def feed(self, pieces: Iterable[Any]) -> list[ToolCallDelta]:
        """Return the deltas of one event; raises ValueError for what is no call."""
        return [delta for piece in pieces if (delta := self._piece(piece))]

    def end(self) -> list[ToolCallDelta]:
        """Return what calls without arguments still lack: clients parse `{}`, and not ""."""
        bare, self._bare = self._bare, {}
        return [{"index": index, "function": {"arguments": "{}"}} for index in bare]

    def _piece(self, piece: Any) -> ToolCallDelta | None:
        function = piece.get("function") if isinstance(piece, dict) else None
        if not isinstance(function, dict):
            raise ValueError("a call without a function")
        name, arguments = function.get("name"), function.get("arguments")
        if not isinstance(arguments, str | None):
            arguments = to_arguments(arguments)
        index = self._known(piece, name)
        if index is not None:
            if not arguments:
                return None
            self._bare.pop(index, None)
            return {"index": index, "function": {"arguments": arguments}}
        if not isinstance(name, str) or not name:
            raise ValueError("a call without a name")
        return self._first(piece, name, arguments or "")

    def _known(self, piece: dict[str, Any], name: object) -> int | None:
        """Return the index of the call that a piece goes on with; None for a new call."""
        theirs, id_ = piece.get("index"), piece.get("id")
        if name and isinstance(id_, str) and id_ and id_ not in self._indexes:
            # Some number all of their calls 0.
            return None
        if isinstance(theirs, int):
            return self._indexes.get(theirs)
        if isinstance(id_, str) and id_:
            return self._indexes.get(id_)
        return None if name or self._last < 0 else self._last

    def _first(self, piece: dict[str, Any], name: str, arguments: str) -> ToolCallDelta:
        self._last = index = self._last + 1
        id_ = piece.get("id")
        for theirs in (piece.get("index"), id_):
            if isinstance(theirs, int | str):
                self._indexes[theirs] = index
        if not arguments:
            self._bare[index] = None
        return {
            "index": index,
            "id": self._ids.take(index, id_),
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
