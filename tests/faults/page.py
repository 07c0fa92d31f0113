"""docs/faults.md, rendered from the table of expectations."""

from collections.abc import Iterator

from tests.faults.expected import EXPECTED, Row
from tests.faults.outcomes import Answered

_HEAD = """\
# What becomes of an engine's faults

This page is rendered from the table that the tests work by (`tests/faults/`). Every row is brought
about with real sockets and processes: for chats, text completions and responses as server-sent
events, as NDJSON and whole, for Anthropic's messages streamed and whole, and for embeddings; with
an Ollama (`ENGINE=ollama`) and with an engine that speaks OpenAI's API (`ENGINE=openai`). A row
holds for all of them, but that in a response the error event is `response.failed`, whose code is
`server_error`, and whose items are those that came.

After each fault the same service gets the same request once more, from an engine that is well, and
answers it rightly; no connection and no thread of the fault is left. A stream ends in exactly one
of: finish chunk (and `[DONE]` in server-sent events; of a message `message_stop`), or an error
event. A number is the status of the answer; the word behind it is the `code`, in the envelope or in
the error event. Where a part of the answer came before the fault, it was `Hel`. A fault that takes
longer than `STREAM_HEARTBEAT_SECONDS` comes behind the headers of a stream: it is the same `code`
in an error event, and its status stands in the log.

A pooled connection that ends before a byte of the answer has come may have been closed by an engine
that was restarted: the request is then sent once more, on a new connection. A connection that was
new, and one that ended after more than a second, is an error at once.

| fault | what happens | streamed | not streamed | embeddings | what the engine saw |
| --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    """Return the page in Markdown."""
    return _HEAD + "".join(_lines())


def _lines() -> Iterator[str]:
    for fault, row in EXPECTED.items():
        cells = (fault, row.told, row.streamed, row.whole, _embedded(row), _seen(row))
        yield f"| {' | '.join(map(str, cells))} |\n"


def _embedded(row: Row) -> str:
    return "the vectors" if isinstance(row.embedded, Answered) else str(row.embedded)


def _seen(row: Row) -> str:
    if row.seen_embedding is None:
        return str(row.seen)
    return f"{row.seen} (embeddings: {row.seen_embedding})"
