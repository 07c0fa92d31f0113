"""The table: what becomes of each fault, written by hand from the design (sections 1, 3 and 5).

A row holds for both framings of a stream, for chats, completions and responses, and for either
engine.
"""

from dataclasses import dataclass

from tests.faults.faults import GIANT
from tests.faults.outcomes import Answered, Broken, Outcome, Refused, Seen

HELLO = Answered("Hello")
VECTOR = Answered("[1.0, 0.5]")
ONCE, TWICE, LEFT, NEVER = Seen(1), Seen(2), Seen(1, left=True), Seen(0)
# A response's own error has one of a few codes; what happened is in its words.
IN_A_RESPONSE = "server_error"
DEAD = "what it saw died with it"


@dataclass(frozen=True)
class Row:
    """One fault. `told` says what it is; an engine that was killed cannot say what it saw."""

    told: str
    streamed: Outcome
    whole: Outcome
    embedded: Outcome
    seen: Seen | str
    seen_embedding: Seen | None = None

    def outcome(self, endpoint: str, form: str) -> Outcome:
        """Return what the client gets in one cell."""
        if endpoint == "embeddings":
            return self.embedded
        if form == "whole":
            return self.whole
        if endpoint == "responses" and isinstance(self.streamed, Broken):
            return Broken(self.streamed.text, IN_A_RESPONSE)
        return self.streamed

    def seen_at(self, endpoint: str) -> Seen | str:
        """Return what the engine saw in one cell."""
        return self.seen_embedding or self.seen if endpoint == "embeddings" else self.seen


def _before(
    told: str, status: int, code: str, seen: Seen | str = ONCE, of_embedding: Seen | None = None
) -> Row:
    """Nothing has come yet: every form has the same status."""
    error = Refused(status, code)
    return Row(told, error, error, error, seen, of_embedding)


def _amid(
    told: str,
    status: int = 502,
    code: str = "engine_error",
    seen: Seen | str = ONCE,
    of_embedding: Seen | None = None,
) -> Row:
    """A part has come: a stream tells it and the error, all else is the error alone."""
    error = Refused(status, code)
    return Row(told, Broken("Hel", code), error, error, seen, of_embedding)


def _well(told: str, seen: Seen = ONCE) -> Row:
    """No harm to the client."""
    return Row(told, HELLO, HELLO, VECTOR, seen)


EXPECTED: dict[str, Row] = {
    "refused": _before("nothing listens at the address", 503, "engine_unavailable", NEVER),
    "DNS failure": _before("the engine's name is not known", 503, "engine_unavailable", NEVER),
    # The connection was a pooled one, and may have been closed before the request came.
    "reset": _before("RST in place of a head", 502, "engine_error", TWICE),
    "closed": _before("FIN in place of a head", 502, "engine_error", TWICE),
    "reset in the middle": _amid("RST after a part"),
    "slow headers": _before("no head within `OLLAMA_TIMEOUT`", 504, "timeout", LEFT),
    "dripping headers": _before("a head byte by byte, for longer than that", 504, "timeout", LEFT),
    "200 with HTML": _before("a proxy's page", 502, "engine_error"),
    "error line first": _before(
        "status 200, then an error in place of text", 502, "engine_error", LEFT, ONCE
    ),
    "error line in the middle": _amid("an error after a part", seen=LEFT, of_embedding=ONCE),
    "EOF without `done`": _amid("FIN after a part, no closing chunk"),
    "proper end without `done`": _amid("the closing chunk after a part"),
    "cut inside UTF-8": _amid("the body ends within a letter"),
    "cut inside JSON": _amid("the body ends within a line"),
    # A document with a second end is none.
    "duplicate `done`": Row(
        "the last line twice", HELLO, HELLO, Refused(502, "engine_error"), ONCE
    ),
    "stall": _amid("nothing within `STREAM_IDLE_TIMEOUT` after a part", 504, "timeout", seen=LEFT),
    "one byte at a time": _well("each byte in a packet of its own"),
    "giant line": Row("3 MiB in one line", Answered(GIANT), Answered(GIANT), VECTOR, ONCE),
    "line without an end": Row(
        "more than the 16 MiB that a line may have",
        Broken("Hel", "engine_error"),
        Refused(502, "engine_error"),
        # One document of up to 128 MiB, and no line.
        VECTOR,
        LEFT,
        ONCE,
    ),
    # It is asked once more, as after a reset. Not 503: it may have had the request.
    "engine killed before it answers": _before(
        "SIGKILL when the request has come", 502, "engine_error", DEAD
    ),
    "engine killed in the middle": _amid("SIGKILL after a part", seen=DEAD),
    "engine restarted": _well("between two requests: the pooled connection is stale"),
    "engine restarted, noticed late": _well(
        "the pooled connection ends when the request has been sent", TWICE
    ),
    "503 busy": _before("the engine's own queue is full", 503, "overloaded"),
    "JSON inside a string": _before(
        "an error whose words are JSON, here of an overflow", 400, "context_length_exceeded"
    ),
    "empty 403": _before("Ollama's answer to a wrong origin", 502, "engine_error"),
}
