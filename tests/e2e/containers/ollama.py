"""`ollama serve` and `ollama list` in the container that stands in for Ollama's.

It runs in an image that has the service's own packages.
"""

import signal
import sys
import threading
import urllib.error
import urllib.request

from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    Recording,
    answer_json,
    chat_line,
    done_line,
    replay,
    stream,
)

RELEASE = "0.32.15"
PORT = 11434


def main() -> int:
    """Run the command that was named."""
    if sys.argv[1:] == ["serve"]:
        serve()
        return 0
    if sys.argv[1:] == ["list"]:
        return list_models()
    sys.stderr.write(f"not played here: {sys.argv[1:]}\n")
    return 2


def serve() -> None:
    """Answer as a real server did. A prompt `wait` is answered by half, until /go is asked for."""
    signals = {signal.SIGINT, signal.SIGTERM}
    # Blocked before any thread exists, so that only `sigwait` receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    go = threading.Event()
    held = stream([chat_line("Hel"), go, chat_line("lo"), done_line()])
    recorded = replay(Recording.load(RELEASE, "chat-stream"))

    def chat(exchange: Exchange) -> None:
        waits = exchange.request.json["messages"][-1]["content"] == "wait"
        (held if waits else recorded)(exchange)

    def let_go(exchange: Exchange) -> None:
        go.set()
        answer_json({})(exchange)

    with FakeOllama(RELEASE, host="0.0.0.0", port=PORT) as fake:
        for path, name in {"/api/version": "version", "/api/tags": "tags"}.items():
            fake.script(path, replay(Recording.load(RELEASE, name)))
        fake.script("/api/chat", chat)
        fake.script("/go", let_go)
        signal.sigwait(signals)


def list_models() -> int:
    """Ask the server as `ollama list` does; 1 when it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/tags", timeout=5) as answer:
            sys.stdout.write(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        sys.stderr.write(f"could not connect to ollama: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
