"""The pages of the documentation in a real browser: they render, ask no other host, and work."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.service import Service, running_service, wait_for
from tests.e2e.test_browser import FLAGS
from tests.e2e.webdriver import Browser, browser
from tests.fake_ollama import FakeOllama

pytestmark = pytest.mark.e2e


@pytest.fixture
def service(tmp_path: Path, fake: FakeOllama) -> Iterator[Service]:
    """The service without a key, whose default model answers "Hello"."""
    with running_service(tmp_path, fake.url, API_KEY="") as started:
        yield started


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path, FLAGS) as opened:
        yield opened


def wait_for_text(window: Browser, text: str, service: Service) -> None:
    wait_for(
        lambda: text in window.run("return document.body.innerText"), repr(text), service.log, 30
    )


def assert_no_other_host(window: Browser, service: Service) -> None:
    """What a page asks for elsewhere has to be stopped before it leaves, by its policy."""
    requested = window.requested()
    left = {
        url
        for url, stopped in requested.items()
        if urlsplit(url).scheme in ("http", "https", "ws", "wss") and stopped != "csp"
    }

    assert f"{service.url}/openapi.json" in left
    assert {urlsplit(url).netloc for url in left} == {urlsplit(service.url).netloc}


def test_swagger_renders_and_try_it_gets_an_answer(
    window: Browser, service: Service, fake: FakeOllama
) -> None:
    window.open(f"{service.url}/docs#/Answers/create_chat_completion")
    wait_for_text(window, "Execute", service)

    window.run("document.querySelector('.opblock.is-open button.execute').click()")
    seen = "return document.querySelector('.live-responses-table tbody')?.innerText ?? ''"
    wait_for(lambda: "Response body" in window.run(seen), "the answer", service.log, 30)

    assert window.run(seen).startswith("200")
    assert '"content": "Hello"' in window.run(seen)
    assert len(fake.received("/api/chat")) == 1
    assert_no_other_host(window, service)


def test_redoc_renders(window: Browser, service: Service) -> None:
    window.open(f"{service.url}/redoc")

    wait_for_text(window, "/v1/chat/completions", service)
    wait_for_text(window, "Answer a chat", service)
    assert_no_other_host(window, service)
