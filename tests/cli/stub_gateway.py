"""Stands in for `tensoria serve`: /health on API_PORT, and every way to misbehave.

Run as `stub_gateway.py MODE FILE`; it writes what the engine's settings are to FILE.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status": "ok"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def main() -> None:
    mode, file = sys.argv[1:]
    told = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("ENGINE", "EMBEDDINGS"))
    }
    worker = subprocess.Popen(SLEEPER).pid if mode == "deaf" else None
    if mode == "fails":
        sys.exit(3)
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "silent":
        time.sleep(600)
    server = HTTPServer(("127.0.0.1", int(os.environ["API_PORT"])), Health)
    Path(file).write_text(json.dumps({**told, "pid": os.getpid(), "worker": worker}))
    server.serve_forever()


if __name__ == "__main__":
    main()
