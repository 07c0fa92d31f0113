"""A page in a real browser calls the service from another origin.

Debian's headless Chromium opens a page of a tiny local server; the page calls the service and
posts what it saw back to where it came from.
"""

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.service import Service, clean_environment, running, running_service
from tests.fake_ollama import FakeOllama
from tests.requirements import need_program

pytestmark = pytest.mark.e2e

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PAGE = """<!doctype html><meta charset="utf-8"><title>Test</title><script>
const [service, key] = JSON.parse(decodeURIComponent(location.hash.slice(1)));
async function chat(request) {
  try {
    const answer = await fetch(service + "/v1/chat/completions", {
      method: "POST",
      headers: {
        "Authorization": "Bearer " + key,
        "Content-Type": "application/json",
        "X-Stainless-Lang": "js",
      },
      body: JSON.stringify({messages: [{role: "user", content: "Hi"}], ...request}),
    });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    return {
      status: answer.status,
      id: answer.headers.get("X-Request-ID"),
      text,
    };
  } catch (error) {
    return {refused: error.name};
  }
}
async function main() {
  const seen = {
    stream: await chat({model: "smollm2:135m", stream: true}),
    error: await chat({model: "no-such-model"}),
  };
  await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
}
main();
</script>"""


class Site(ThreadingHTTPServer):
    """Serves the page, and keeps what the page reports."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SiteHandler)
        self.seen: queue.Queue[dict[str, Any]] = queue.Queue()


class _SiteHandler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self._answer(PAGE.encode() if self.path == "/" else b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")
        self.server.seen.put(json.loads(body))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def service(tmp_path: Path, fake: FakeOllama, site: Site) -> Iterator[Service]:
    """The service, with the page's origin listed as 127.0.0.1 and not as localhost."""
    origin = f"http://127.0.0.1:{site.server_port}"
    with running_service(tmp_path, fake.url, CORS_ORIGINS=origin) as started:
        yield started


def visit(site: Site, host: str, service: Service, folder: Path) -> dict[str, Any]:
    """Open the page under a name of its host, and return what it saw."""
    chromium = need_program("chromium", "apt-get install --no-install-recommends chromium")
    told = quote(json.dumps([service.url, service.key]))
    page = f"http://{host}:{site.server_port}/#{told}"
    profile = folder / "profile"
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", page]
    with running(command, folder, clean_environment(folder)) as (_, log):
        try:
            return site.seen.get(timeout=60)
        except queue.Empty:
            raise AssertionError(f"the page reported nothing\n{log.read_text()}") from None


def test_a_page_of_a_listed_origin_reads_streams_and_errors(
    site: Site, service: Service, tmp_path: Path
) -> None:
    seen = visit(site, "127.0.0.1", service, tmp_path)

    assert seen["stream"]["status"] == 200
    assert seen["stream"]["text"].endswith("data: [DONE]\n\n")
    assert seen["stream"]["id"]
    assert seen["error"]["status"] == 404
    assert json.loads(seen["error"]["text"])["error"]["code"] == "model_not_found"
    assert seen["error"]["id"]


def test_a_page_of_another_origin_is_refused_by_the_browser(
    site: Site, service: Service, fake: FakeOllama, tmp_path: Path
) -> None:
    seen = visit(site, "localhost", service, tmp_path)

    assert seen == {"stream": {"refused": "TypeError"}, "error": {"refused": "TypeError"}}
    assert fake.received("/api/chat") == []
