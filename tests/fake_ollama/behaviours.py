"""What the fake can be told to do with a request: whole answers, streams, faults, recordings.

A behaviour is a handler, `(Exchange) -> None`. `hang`, `close` and `reset` are
handlers themselves, and steps of a stream: `stream([chat_line("a"), hang])` hangs after the
first line, `stream([hang])` after the headers, and `hang` alone before them.
"""

import threading
import time
from collections.abc import Iterable
from typing import Any, Literal

import orjson

from tests.fake_ollama.exchange import CLOSING_CHUNK, NDJSON, Exchange, Handler
from tests.fake_ollama.lines import chat_line, done_line, error_line
from tests.fake_ollama.recording import Cut, Recording, pieces

# Bytes are one HTTP chunk; an event is waited for; a handler does what it does, and the stream
# goes on if that returns.
Step = bytes | threading.Event | Handler
# How a replay ends: with the closing chunk, with FIN, with RST, or not at all.
Ending = Literal["clean", "end of file", "reset", "silence"]

_STREAM_HEADERS = (
    ("Content-Type", NDJSON),
    ("Date", "Mon, 23 Nov 2026 14:37:54 GMT"),
    ("Transfer-Encoding", "chunked"),
)
_PROXY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
# A whole image in base64 is of this order; far longer than any one receive.
_GIANT = 3 * 1024 * 1024


def answer_json(body: Any, status: int = 200) -> Handler:
    """Answer with one JSON object and Content-Length."""
    return lambda exchange: exchange.answer(status, orjson.dumps(body))


def answer_text(text: str, status: int, content_type: str = "text/plain") -> Handler:
    """Answer with text, as Ollama's router does when it has no route."""
    return lambda exchange: exchange.answer(status, text.encode(), content_type)


def answer_html(status: int = 502, text: str = _PROXY_PAGE) -> Handler:
    """Answer with a page, as a proxy in front of Ollama does."""
    return answer_text(text, status, "text/html")


def answer_raw(data: bytes) -> Handler:
    """Send bytes that need not be HTTP, and hang up."""
    return lambda exchange: exchange.send_raw(data)


def drip(data: bytes, pause_seconds: float) -> Handler:
    """Send a whole answer, head and all, byte by byte with a pause before each."""

    def handle(exchange: Exchange) -> None:
        for left, byte in zip(range(len(data) - 1, -1, -1), data, strict=True):
            exchange.pause(pause_seconds)
            if not left:
                exchange.mark_answered(complete=True)
            exchange.send_raw(bytes([byte]))

    return handle


def hang(exchange: Exchange) -> None:
    """Stay silent until the client leaves or the fake is stopped."""
    exchange.wait_until_client_leaves()


def close(exchange: Exchange) -> None:
    """End the connection with FIN; after a stream's first line, that is a cut body."""
    exchange.close()


def reset(exchange: Exchange) -> None:
    """End the connection with RST."""
    exchange.reset()


def stream(
    steps: Iterable[Step],
    status: int = 200,
    headers: Iterable[tuple[str, str]] = _STREAM_HEADERS,
) -> Handler:
    """Answer with a chunked body, step by step, and the closing chunk if no step ended it."""
    told = list(steps)

    def handle(exchange: Exchange) -> None:
        exchange.send_head(status, headers)
        for step in told:
            _take(step, exchange)
        exchange.end()

    return handle


def _bad_chunk(exchange: Exchange) -> None:
    exchange.send_raw(b"zz\r\n")
    exchange.close()


def _take(step: Step, exchange: Exchange) -> None:
    if isinstance(step, bytes):
        exchange.send(step)
    elif isinstance(step, threading.Event):
        exchange.wait_for(step)
    else:
        step(exchange)


def replay(
    recording: Recording,
    *,
    timed: bool = False,
    chunk_cut: Cut | None = None,
    segment_cut: Cut | None = None,
    ending: Ending | None = None,
) -> Handler:
    """Answer as a real server did: status, headers in their order, chunks, and the end.

    `timed` keeps the recorded times. `chunk_cut` cuts the body into other HTTP chunks;
    `segment_cut` cuts the framed bytes into other sends, in the middle of chunk sizes too.
    `ending` stands in for the recorded one.
    """
    if timed and (chunk_cut or segment_cut):
        raise ValueError("a recording is replayed in its own time only when it is not cut")
    end = ending or _ENDINGS[recording.ended]
    chunks = [(chunk.at_ms / 1000, chunk.data) for chunk in recording.chunks]
    if chunk_cut:
        chunks = [(0, piece) for piece in pieces(recording.body, chunk_cut)]

    def handle(exchange: Exchange) -> None:
        if timed:
            _wait_since_request(exchange, recording.head_ms / 1000)
        exchange.send_head(recording.status, recording.headers)
        sends = _sends(exchange, chunks, end)
        if segment_cut:
            sends = [(0, piece) for piece in pieces(b"".join(d for _, d in sends), segment_cut)]
        for left, (at_seconds, data) in zip(range(len(sends) - 1, -1, -1), sends, strict=True):
            if timed:
                _wait_since_request(exchange, at_seconds)
            if end == "clean" and left == 0:
                exchange.mark_answered(complete=True)
            exchange.send_raw(data)
        _end(exchange, end)

    return handle


_ENDINGS: dict[str, Ending] = {
    "clean": "clean",
    "end of file without the closing chunk": "end of file",
    "silence": "silence",
}


def _sends(
    exchange: Exchange, chunks: list[tuple[float, bytes]], end: Ending
) -> list[tuple[float, bytes]]:
    """Return each send of a body as it goes on the wire, with its time in seconds."""
    if exchange.request.method == "HEAD":
        return []
    sends = [(at_seconds, exchange.frame(data)) for at_seconds, data in chunks]
    if end == "clean" and exchange.chunked:
        sends.append((sends[-1][0] if sends else 0, CLOSING_CHUNK))
    return sends


def _end(exchange: Exchange, end: Ending) -> None:
    if end == "silence":
        hang(exchange)
    if end == "end of file":
        close(exchange)
    if end == "reset":
        reset(exchange)
    exchange.mark_answered(complete=True)


def _wait_since_request(exchange: Exchange, seconds: float) -> None:
    exchange.pause(exchange.request.received_at + seconds - time.monotonic())


def _one_byte_at_a_time(exchange: Exchange) -> None:
    body = chat_line("Grüße 🙂") + done_line()
    stream([bytes([byte]) for byte in body])(exchange)


# Faults by name, for tests that must hold for all of them, and for driving by hand.
FAULTS: dict[str, Handler] = {
    "hang before headers": hang,
    "hang after headers": stream([hang]),
    "hang after a line": stream([chat_line("Hel"), hang]),
    "close before headers": close,
    "close after headers": stream([close]),
    "close after a line": stream([chat_line("Hel"), close]),
    "reset before headers": reset,
    "reset after headers": stream([reset]),
    "reset after a line": stream([chat_line("Hel"), reset]),
    "html": answer_html(502),
    "html with status 200": answer_html(200),
    "not http": answer_raw(b"\x16\x03\x01\x00\x02 no HTTP at all\r\n\r\n"),
    "garbage lines": stream([chat_line("Hel"), b"\xff\xfe\x00 no JSON\n", done_line()]),
    "a line that is no object": stream([chat_line("Hel"), b"[1]\n", done_line()]),
    "empty body": stream([]),
    "one byte at a time": _one_byte_at_a_time,
    "giant line": stream([chat_line("a" * _GIANT), done_line()]),
    "error line first": stream([error_line("model runner has unexpectedly stopped")]),
    "error line after a line": stream([chat_line("Hel"), error_line("CUDA error")]),
    "two done lines": stream([chat_line("Hello"), done_line(), done_line()]),
    "end without done": stream([chat_line("Hel")]),
    "done without a reason": stream([chat_line("Hel"), done_line(None)]),
    "cut JSON": stream([chat_line("Hel"), chat_line("lo")[:40]]),
    "chunk size that is none": stream([chat_line("Hel"), _bad_chunk]),
}
