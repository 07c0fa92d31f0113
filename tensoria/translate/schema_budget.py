"""How much of a client's schemas may be written out, where one names the next one twice."""

from typing import Any

import orjson

# What one schema may grow to, and all schemas of a request together: a megabyte of definitions has
# fewer nodes of its own.
MAX_NODES = 4000
MAX_ALL_NODES = 50_000
# What a reference puts in place counts by its length as well: an enum may be a million letters.
BYTES_A_NODE = 100
_DEFINITIONS = ("$defs", "definitions")


class Budget:
    """The nodes that may still be written for the schemas of one request."""

    def __init__(self) -> None:
        self._left_of_all = MAX_ALL_NODES
        self._left = 0
        self._costs: dict[str, int] = {}

    def begin(self) -> None:
        """Begin with another schema."""
        self._left = min(MAX_NODES, self._left_of_all)
        self._costs = {}

    @property
    def spent(self) -> bool:
        """Tell whether the schema may not grow any more."""
        return self._left < 0

    def take(self, nodes: int = 1) -> None:
        """Count nodes that are written."""
        self._left -= nodes
        self._left_of_all -= nodes

    def take_target(self, ref: str, target: dict[str, Any]) -> None:
        """Count what a reference puts in its place, without what is referred to from there."""
        if ref not in self._costs:
            own = {key: value for key, value in target.items() if key not in _DEFINITIONS}
            self._costs[ref] = 1 + len(orjson.dumps(own)) // BYTES_A_NODE
        self.take(self._costs[ref])
