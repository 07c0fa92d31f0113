"""A fake Ollama: a real threaded HTTP server that replays, delays, hangs, breaks and watches.

    with FakeOllama() as fake:
        fake.script("/api/chat", stream([chat_line("Hel"), gate, chat_line("lo"), done_line()]))

Each module has one noun: `lines` (what Ollama writes), `recording` (what real ones wrote),
`exchange` (one request and its answer), `connection`, `behaviours`, `routes`, `server`.
"""

from tests.fake_ollama.behaviours import (
    FAULTS,
    answer_html,
    answer_json,
    answer_raw,
    answer_text,
    close,
    drip,
    hang,
    replay,
    reset,
    stream,
)
from tests.fake_ollama.exchange import Exchange, ExchangeOver, Handler, ReceivedRequest
from tests.fake_ollama.lines import (
    chat_line,
    done_line,
    embedding,
    error_line,
    generate_done_line,
    generate_line,
    model_entry,
)
from tests.fake_ollama.recording import RELEASES, Recording, odd_cuts, pieces, random_cuts
from tests.fake_ollama.routes import LOAD
from tests.fake_ollama.server import FakeOllama

__all__ = [
    "FAULTS",
    "LOAD",
    "RELEASES",
    "Exchange",
    "ExchangeOver",
    "FakeOllama",
    "Handler",
    "ReceivedRequest",
    "Recording",
    "answer_html",
    "answer_json",
    "answer_raw",
    "answer_text",
    "chat_line",
    "close",
    "done_line",
    "drip",
    "embedding",
    "error_line",
    "generate_done_line",
    "generate_line",
    "hang",
    "model_entry",
    "odd_cuts",
    "pieces",
    "random_cuts",
    "replay",
    "reset",
    "stream",
]
