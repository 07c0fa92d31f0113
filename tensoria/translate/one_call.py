"""One call of a tool at the most: `parallel_tool_calls: false`, which no local engine knows."""

from tensoria.errors import TensoriaError
from tensoria.wire.openai import Chunk


class OneCall:
    """A stage (see `backends/staged.py`) that lets the first call of an answer pass alone."""

    error: TensoriaError | None = None

    def feed(self, chunks: list[Chunk]) -> list[Chunk]:
        """Return the chunks without later calls; one that had nothing else is left out."""
        return [kept for chunk in chunks if (kept := _with_one_call(chunk))]


def _with_one_call(chunk: Chunk) -> Chunk | None:
    calls = chunk["choices"][0]["delta"].get("tool_calls") if chunk["choices"] else None
    if calls is None or all(call["index"] == 0 for call in calls):
        return chunk
    first = [call for call in calls if call["index"] == 0]
    if not first:
        return None
    choice = chunk["choices"][0].copy()
    choice["delta"] = choice["delta"].copy()
    choice["delta"]["tool_calls"] = first
    copy = chunk.copy()
    copy["choices"] = [choice]
    return copy
