"""Bodies that are no good JSON: each has its status and its words, and the service lives on."""

import io
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PATH = "/v1/chat/completions"
JSON = "application/json"
GOOD = b'{"model":"smollm2:135m","messages":[{"role":"user","content":"Hi"}]}'


def post(client: FlaskClient, data: bytes, kind: str | None = JSON, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(PATH, data=data, content_type=kind, headers=named)


def error(response: TestResponse) -> dict[str, Any]:
    found: dict[str, Any] = response.json["error"]  # type: ignore[index]
    return found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 01}',
        b'{"a": "\xff\xfe"}',
        b'{"a": "\\ud800"}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        GOOD + b"x",
        GOOD + GOOD,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_not_json_is_400_with_the_place(client: FlaskClient, data: bytes) -> None:
    response = post(client, data)

    assert response.status_code == 400
    assert error(response)["code"] == "invalid_json"
    assert "line" in error(response)["message"]
    assert post(client, GOOD).status_code == 200


def test_the_message_quotes_nothing_of_the_body(client: FlaskClient) -> None:
    assert "canary" not in post(client, b'{"canary": "canary').text


@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"text"', b"true", b"[[1]]"])
def test_json_that_is_no_object_is_400(client: FlaskClient, data: bytes) -> None:
    response = post(client, data)

    assert response.status_code == 400
    assert "JSON object" in error(response)["message"]


def test_the_last_of_two_equal_keys_wins(client: FlaskClient) -> None:
    twice = b'{"model":"absent",' + GOOD[1:]

    assert post(client, twice).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/vnd.x+json",
    ],
)
def test_a_content_type_that_says_json_is_taken(client: FlaskClient, kind: str) -> None:
    assert post(client, GOOD, kind).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "json",
    ],
)
def test_another_content_type_is_415(client: FlaskClient, kind: str | None) -> None:
    """A page anywhere may send these to a service on localhost without asking it first."""
    response = post(client, GOOD, kind)

    assert response.status_code == 415
    assert error(response)["code"] == "unsupported_media_type"
    assert "application/json" in error(response)["message"]


@pytest.mark.parametrize(
    ("encoding", "status"),
    [("gzip", 415), ("zstd", 415), ("br", 415), ("identity", 200), ("IDENTITY", 200)],
)
def test_an_encoded_body_is_415(client: FlaskClient, encoding: str, status: int) -> None:
    assert post(client, GOOD, Content_Encoding=encoding).status_code == status


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("stream", "off", "stream"),
        ("stream", 1, "stream"),
        ("temperature", "1", "temperature"),
        ("temperature", True, "temperature"),
        ("temperature", 2.1, "temperature"),
        ("max_tokens", "1_0", "max_tokens"),
        ("max_tokens", 1.5, "max_tokens"),
        ("max_tokens", 0, "max_tokens"),
        ("max_tokens", 1e300, "max_tokens"),
        ("stop", 5, "stop"),
        ("stop", [5], "stop"),
        ("stop", ["x"] * 65, "stop"),
        ("seed", "1", "seed"),
        ("model", 5, "model"),
        ("model", {}, "model"),
        ("messages", "Hi", "messages"),
        ("messages", [], "messages"),
        ("messages", {}, "messages"),
        ("messages", None, "messages"),
        ("messages", ["Hi"], "messages[0]"),
        ("messages", [None], "messages[0]"),
        ("messages", [{"content": "Hi"}], "messages[0].role"),
        ("messages", [{"role": "user", "content": 5}], "messages[0].content"),
        ("messages", [{"role": [], "content": ""}], "messages[0].role"),
        ("stream_options", [], "stream_options"),
        ("stream_options", {"include_usage": 1}, "stream_options.include_usage"),
        ("tools", [{"type": "function"}], "tools[0].function"),
        ("n", 0, "n"),
        ("response_format", {"type": "json"}, "response_format.type"),
    ],
)
def test_a_wrong_value_is_400_and_named(
    client: FlaskClient, field: str, value: object, param: str
) -> None:
    response = post(client, orjson.dumps({**orjson.loads(GOOD), field: value}))

    assert response.status_code == 400
    assert error(response)["param"] == param


def test_a_body_nested_as_deep_as_the_parser_takes_it_is_no_fault(client: FlaskClient) -> None:
    deep = b'{"unknown":' + b"[" * 1000 + b"]" * 1000 + b"," + GOOD[1:]

    assert post(client, deep).status_code == 200


@pytest.fixture
def small(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a service that takes bodies up to a kilobyte."""
    return make_app(MAX_BODY_MB="0.0009765625").test_client()


def padded(size: int) -> bytes:
    return GOOD + b" " * (size - len(GOOD))


@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 413), (100_000, 413)])
def test_a_body_over_the_limit_is_413(small: FlaskClient, size: int, status: int) -> None:
    response = post(small, padded(size))

    assert response.status_code == status
    if status == 413:
        assert error(response)["code"] == "request_too_large"
        assert "MAX_BODY_MB" in error(response)["message"]


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1025, 413), (100_000, 413)])
def test_a_body_of_unknown_length_over_the_limit_is_413(
    small: FlaskClient, size: int, status: int
) -> None:
    """Transfer-Encoding: chunked, as gunicorn hands it over."""
    response = small.post(
        PATH,
        input_stream=io.BytesIO(padded(size)),
        headers={"Content-Type": JSON, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert response.status_code == status


def test_a_body_shorter_than_it_says_is_400(client: FlaskClient) -> None:
    response = client.post(
        PATH,
        input_stream=io.BytesIO(GOOD[:20]),
        headers={"Content-Type": JSON, "Content-Length": str(len(GOOD))},
    )

    assert response.status_code == 400
