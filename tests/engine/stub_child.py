"""Stands in for the engine's process: the same ready line, and every way to misbehave.

Run as `stub_child.py MODE [FILE]`; each start appends what it was told to FILE.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

FIRST_PORT = 4242


def main() -> None:
    mode, *files = sys.argv[1:]
    told = json.loads(sys.stdin.buffer.readline())
    # A process that embeds stands beside one that chats, so it finds another port.
    first_port = FIRST_PORT + told.get("embedding", False)
    starts = 0
    for file in files:
        with Path(file).open("a") as journal:
            journal.write(json.dumps({**told, "pid": os.getpid()}) + "\n")
        starts = len(Path(file).read_text().splitlines())
    os.write(2, b"first line\nlast line\n")
    if mode == "fails" or (mode == "fails-to-embed" and told.get("embedding")):
        os._exit(1)
    if mode == "never-ready" or (mode == "never-embeds" and told.get("embedding")):
        time.sleep(60)
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "noisy":
        os.write(1, b'not json\n[]\n{"port": "x"}\n{}\n')
    os.write(1, json.dumps({"port": told["port"] or first_port}).encode() + b"\n")
    if mode == "chatty":
        os.write(1, b"x" * 300_000 + b"\n")
        os.write(2, b"y\n" * 150_000 + b"done\n")
        os._exit(0)
    if mode == "dies" or (mode == "dies-once" and starts == 1):
        os._exit(3)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
