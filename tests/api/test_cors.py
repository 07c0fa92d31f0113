"""Browsers: which pages may call, what they may send, and what they may read."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.conftest import KEY

PATH = "/v1/chat/completions"
PAGE = "https://chat.example.org"


@pytest.fixture
def browser(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a service with a key and one page."""
    return make_app(API_KEY=KEY, CORS_ORIGINS=f"{PAGE}, http://localhost:3000").test_client()


def preflight(client: FlaskClient, origin: str, asked: str = "authorization") -> TestResponse:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
    }
    return client.options(PATH, headers=headers)


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_a_preflight_needs_no_key(browser: FlaskClient, origin: str) -> None:
    response = preflight(browser, origin)

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in response.headers["Vary"]
    assert response.data == b""


def test_a_preflight_for_a_path_that_does_not_exist_is_answered_alike(browser: FlaskClient) -> None:
    """Else the page would not be able to read the 404 that says why."""
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}

    assert browser.options("/chat/completions", headers=headers).status_code == 204


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://chat.example.org",
        "https://chat.example.org:8443",
        "https://chat.example.org.evil.example",
        "https://evil.chat.example.org",
        "https://CHAT.example.org/",
        "null",
        "",
    ],
)
def test_another_origin_gets_no_preflight_and_no_header(browser: FlaskClient, origin: str) -> None:
    response = preflight(browser, origin)

    assert response.status_code == 401
    assert "Access-Control-Allow-Origin" not in response.headers


def test_options_that_are_no_preflight_need_the_key(browser: FlaskClient) -> None:
    assert browser.options(PATH, headers={"Origin": PAGE}).status_code == 401


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("authorization", "authorization"),
        ("Authorization, Content-Type", "authorization, content-type"),
        (
            "x-api-key,x-stainless-os,x-stainless-new-one",
            "x-api-key, x-stainless-os, x-stainless-new-one",
        ),
        ("content-type,x-evil,cookie", "content-type"),
        ("x-evil\r\n", ""),
        ("", ""),
    ],
)
def test_headers_are_allowed_by_name(browser: FlaskClient, asked: str, allowed: str) -> None:
    """`*` does not cover Authorization."""
    response = preflight(browser, PAGE, asked.strip())

    assert response.headers["Access-Control-Allow-Headers"] == allowed


def test_a_page_may_reach_a_private_network_when_it_asks(browser: FlaskClient) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    asked = {**headers, "Access-Control-Request-Private-Network": "true"}

    response = browser.options(PATH, headers=asked)
    assert response.headers["Access-Control-Allow-Private-Network"] == "true"
    assert (
        "Access-Control-Allow-Private-Network" not in browser.options(PATH, headers=headers).headers
    )


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/v1/models", KEY, 200),
        ("/v1/models", "", 401),
        ("/nowhere", KEY, 404),
        ("/health", "", 200),
    ],
)
def test_a_page_can_read_every_answer_errors_too(
    browser: FlaskClient, path: str, key: str, status: int
) -> None:
    response = browser.get(path, headers={"Origin": PAGE, "X-API-Key": key})
    exposed = response.headers["Access-Control-Expose-Headers"].lower().split(", ")

    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert {"x-request-id", "retry-after", "x-tensoria-ignored", "x-tensoria-adjusted"} <= {
        *exposed
    }
    assert response.headers["Vary"] == "Origin"


def test_a_page_can_read_a_stream(browser: FlaskClient, hello: dict[str, object]) -> None:
    headers = {"Origin": PAGE, "X-API-Key": KEY}
    with browser.post(PATH, json={**hello, "stream": True}, headers=headers) as response:
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        assert b"[DONE]" in response.data


@pytest.mark.parametrize("origin", ["app://obsidian.md", "https://evil.example", "null"])
def test_an_unfamiliar_origin_with_a_good_key_is_answered_without_headers(
    browser: FlaskClient, origin: str
) -> None:
    """Apps that are no browsers send one too; a 403 would shut them out."""
    response = browser.get("/v1/models", headers={"Origin": origin, "X-API-Key": KEY})

    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Vary"] == "Origin"


def test_an_answer_for_no_page_varies_by_origin_too(browser: FlaskClient) -> None:
    """A cache must not give it to a page later."""
    assert browser.get("/health").headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", [PAGE, "https://anything.example", "null"])
def test_a_star_means_every_page(make_app: Callable[..., Flask], origin: str) -> None:
    client = make_app(API_KEY=KEY, CORS_ORIGINS="*").test_client()

    assert preflight(client, origin).status_code == 204
    allowed = client.get("/health", headers={"Origin": origin}).headers[
        "Access-Control-Allow-Origin"
    ]
    assert allowed in ("*", origin)


def test_without_the_setting_there_is_no_header_at_all(keyed: FlaskClient) -> None:
    response = keyed.get("/health", headers={"Origin": PAGE})

    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
    assert "Vary" not in response.headers
    assert preflight(keyed, PAGE).status_code == 401


def test_credentials_are_never_allowed(browser: FlaskClient) -> None:
    """No answer depends on a cookie."""
    assert "Access-Control-Allow-Credentials" not in preflight(browser, PAGE).headers
