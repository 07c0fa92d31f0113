"""Run the fake by hand or from an end-to-end test: `python -m tests.fake_ollama --port 11434`.

Its first line of output is its URL. It runs until SIGINT or SIGTERM.
"""

import argparse
import signal
import sys

from tests.fake_ollama.behaviours import FAULTS, replay
from tests.fake_ollama.recording import RELEASES, Recording
from tests.fake_ollama.server import FakeOllama

# What a release says of itself: recordings that stand in for the default answers.
_ABOUT = {"/api/version": "version", "/api/tags": "tags", "/api/ps": "ps-one"}


def main() -> None:
    """Read the arguments, serve, and stop at the first signal."""
    args = _parse()
    signals = {signal.SIGINT, signal.SIGTERM}
    # Blocked before any thread exists, so that only `sigwait` receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with FakeOllama(args.recordings or RELEASES[-1], port=args.port) as fake:
        if args.recordings:
            _use_recordings(fake, args.recordings, args.chat)
        if args.fault:
            fake.script("/api/chat", FAULTS[args.fault])
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        signal.sigwait(signals)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_ollama", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--recordings", choices=RELEASES, help="answer as this release did")
    parser.add_argument("--chat", default="chat-stream", help="the recording for /api/chat")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="break /api/chat in this way")
    return parser.parse_args()


def _use_recordings(fake: FakeOllama, release: str, chat: str) -> None:
    for path, name in _ABOUT.items():
        fake.script(path, replay(Recording.load(release, name)))
    fake.script("/api/chat", replay(Recording.load(release, chat), timed=True))


if __name__ == "__main__":
    main()
