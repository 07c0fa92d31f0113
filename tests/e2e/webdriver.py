"""A headless Chromium, driven through Debian's chromedriver: WebDriver is JSON over HTTP.

Source: w3.org/TR/webdriver2; the log of requests is chromedriver's own (`goog:loggingPrefs`).
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.e2e.service import clean_environment, free_port, running, wait_for
from tests.requirements import need_program

INSTALL = "apt-get install --no-install-recommends chromium chromium-driver"


class Browser:
    """One window, and every request that its pages ask for."""

    def __init__(self, http: requests.Session, session: str) -> None:
        self._http, self._session = http, session

    def open(self, url: str) -> None:
        """Go to a page; returns when it is loaded, its scripts included."""
        self._command("POST", "url", {"url": url})

    def run(self, script: str) -> Any:
        """Run JavaScript in the page, and return what it returns."""
        return self._command("POST", "execute/sync", {"script": script, "args": []})

    def requested(self) -> dict[str, str]:
        """Return the addresses asked for since the last call, with why each was stopped, or ""."""
        entries = self._command("POST", "se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        urls = {
            each["params"]["requestId"]: each["params"]["request"]["url"]
            for each in messages
            if each["method"] == "Network.requestWillBeSent"
        }
        stopped = {
            each["params"]["requestId"]: each["params"].get("blockedReason", "")
            for each in messages
            if each["method"] == "Network.loadingFailed"
        }
        return {url: stopped.get(id_, "") for id_, url in urls.items()}

    def _command(self, method: str, path: str, body: dict[str, Any]) -> Any:
        response = self._http.request(method, f"{self._session}/{path}", json=body, timeout=60)
        value = response.json()["value"]
        assert response.status_code == 200, value
        return value


@contextlib.contextmanager
def browser(folder: Path, flags: tuple[str, ...]) -> Iterator[Browser]:
    """Start a browser of its own profile, and end it with the block."""
    chromium = need_program("chromium", INSTALL)
    driver = need_program("chromedriver", INSTALL)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    wanted = {
        "goog:chromeOptions": {
            "binary": chromium,
            "args": [*flags, f"--user-data-dir={folder / 'profile'}"],
        },
        "goog:loggingPrefs": {"performance": "ALL"},
    }
    with (
        running([driver, f"--port={port}"], folder, clean_environment(folder)) as (_, log),
        requests.Session() as http,
    ):
        http.trust_env = False
        wait_for(lambda: _is_ready(http, url), "chromedriver to answer", log)
        asked = {"capabilities": {"alwaysMatch": wanted}}
        answer = http.post(f"{url}/session", json=asked, timeout=60).json()["value"]
        assert "sessionId" in answer, answer
        session = f"{url}/session/{answer['sessionId']}"
        try:
            yield Browser(http, session)
        finally:
            http.delete(session, timeout=30)


def _is_ready(http: requests.Session, url: str) -> bool:
    try:
        return bool(http.get(f"{url}/status", timeout=5).json()["value"]["ready"])
    except requests.ConnectionError:
        return False
