"""The engine's own process: llama.cpp's server out of the wheel xllamacpp.

Run as a script; the standard library and xllamacpp are all it imports. It reads one JSON line
from stdin (`Told`), prints one JSON line on stdout when it serves (`{"port": 43111}`), and ends
when stdin ends: a pipe closes whichever way the parent dies, on Linux and on macOS.
"""

import importlib
import json
import os
import signal
import sys
from typing import Any, TypedDict
from urllib.parse import urlsplit

# Every open stream holds one of the server's threads: with 4 threads and 12 streams /health hung
# for more than 20 s, with 64 it answered at once with the same memory.
HTTP_THREADS = 64


class Told(TypedDict):
    """What the parent decides; the key comes by pipe, so that no process list shows it."""

    model: str
    alias: str
    other_names: list[str]
    embedding: bool  # a model that embeds, and does nothing else
    chat_template: str | None
    port: int  # 0: any free one
    api_key: str
    threads: int


def configure(params: Any, told: Told) -> None:
    """Fill xllamacpp's CommonParams with the values that were measured."""
    params.model.path = told["model"]
    params.model_alias = {told["alias"], *told["other_names"]}
    if told["chat_template"] is not None:
        params.chat_template = told["chat_template"]
    params.offline = True
    params.hostnames = ["127.0.0.1"]
    params.port = told["port"]
    params.api_keys = [told["api_key"]]
    params.n_threads_http = HTTP_THREADS
    # The server's defaults reflect any Origin, with credentials: a web page could use the engine.
    params.cors_origins = "http://localhost.invalid"
    params.cors_origins_explicit = True
    params.ui = False
    # A prompt that nobody waits for any more is given up between two batches only.
    params.n_batch = 512
    if told["embedding"]:
        _embed(params)
    else:
        # The context is divided among the slots: each request has 2048 tokens.
        params.n_ctx = 4096
        params.n_parallel = 2
        params.n_ubatch = 256
    params.cpuparams.n_threads = told["threads"]
    params.cpuparams_batch.n_threads = told["threads"]
    # The default keeps up to 8 GiB of old prompts.
    params.cache_ram_mib = 256
    params.endpoint_metrics = True
    params.endpoint_slots = True
    # At this level no prompt text was found in the log.
    params.verbosity = 3


def _embed(params: Any) -> None:
    """Serve embeddings of up to 512 tokens, which is all that all-MiniLM-L6-v2 has places for."""
    params.embedding = True
    params.n_ctx = 512
    params.n_parallel = 1
    # All tokens of a text look at each other, so they have to be in one batch.
    params.n_ubatch = 512


def die_at_once() -> None:
    """Let SIGTERM and SIGINT end the process without a line of Python or C++.

    The server's destructor hung in 9 of 25 stops that came right after the start. A handler that
    calls os._exit avoids it, but has to wait while a model loads, since xllamacpp keeps the
    interpreter's lock for that; the kernel's own default action waits for nothing.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def claim_stdout() -> int:
    """Return a descriptor for the ready line; all else that is printed goes to stderr."""
    ready = os.dup(1)
    os.dup2(2, 1)
    return ready


def main() -> None:
    """Serve until stdin ends. Exit codes: 0 the parent is gone, 1 the server did not start."""
    die_at_once()
    ready = claim_stdout()
    told: Told = json.loads(sys.stdin.buffer.readline())
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    configure(params, told)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as exc:
        # Not os._exit: the server's log is written by a thread, and its last lines tell why.
        sys.exit(str(exc))
    port = urlsplit(server.listening_address).port
    os.write(ready, json.dumps({"port": port}).encode() + b"\n")
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
