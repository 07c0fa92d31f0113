"""The pages of the documentation: there without a key, gone with one, and whole by themselves."""

import gzip
import hashlib
import re
from collections.abc import Callable
from importlib.resources import files

import pytest
from flask import Flask
from flask.testing import FlaskClient

STATIC = files("tensoria.api") / "static"
PAGES = ["/docs", "/redoc"]


@pytest.mark.parametrize("path", ["/openapi.json", *PAGES, "/docs/assets/swagger-ui.css"])
def test_nothing_of_it_is_registered_with_a_key(make_app: Callable[..., Flask], path: str) -> None:
    client = make_app(API_KEY="k").test_client()

    assert client.get(path).status_code == 401
    assert client.get(path, headers={"X-API-Key": "k"}).status_code == 404


def test_the_document_is_served_without_a_key(client: FlaskClient) -> None:
    response = client.get("/openapi.json")

    assert response.status_code == 200
    assert response.get_json()["openapi"] == "3.1.0"


def test_a_file_of_keys_closes_it_too(make_app: Callable[..., Flask]) -> None:
    served = {rule.rule for rule in make_app(API_KEYS_FILE="keys.toml").url_map.iter_rules()}

    assert served.isdisjoint({"/openapi.json", *PAGES})


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_no_other_host_and_its_policy_allows_none(
    client: FlaskClient, path: str
) -> None:
    response = client.get(path)
    policy = response.headers["Content-Security-Policy"]

    assert response.mimetype == "text/html"
    assert re.findall(r'(?:src|href)="(?!/docs/assets/|data:,)', response.text) == []
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert not re.search(r"http|\*", policy)


@pytest.mark.parametrize("path", PAGES)
def test_all_that_a_page_names_is_served(client: FlaskClient, path: str) -> None:
    named = re.findall(r'"(/docs/assets/[^"]+)"', client.get(path).text)

    assert named
    for asset in named:
        assert client.get(asset).status_code == 200


def test_an_asset_goes_out_compressed_to_whom_takes_that(client: FlaskClient) -> None:
    path = "/docs/assets/redoc.js"
    plain = client.get(path)
    small = client.get(path, headers={"Accept-Encoding": "gzip, br"})

    assert plain.mimetype == small.mimetype == "text/javascript"
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.data) == plain.data == (STATIC / "redoc.js").read_bytes()


def test_an_asset_that_the_browser_has_is_not_sent_again(client: FlaskClient) -> None:
    path = "/docs/assets/swagger-ui.css"
    tag = client.get(path).headers["ETag"]

    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("name", ["README.md", "..%2Fdocs.py", "swagger-ui.css.gz"])
def test_no_other_file_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/assets/{name}").status_code == 404


def test_the_assets_are_those_of_their_makers() -> None:
    told = dict(
        re.findall(r"\| `([\w.-]+)` \|.*`([0-9a-f]{64})` \|", (STATIC / "README.md").read_text())
    )

    assert told.keys() == {"swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js"}
    for name, digest in told.items():
        inside = gzip.decompress((STATIC / f"{name}.gz").read_bytes())
        assert hashlib.sha256(inside).hexdigest() == digest
