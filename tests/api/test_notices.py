"""The names in X-Tensoria-Ignored: encoded, counted, cut."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tensoria.api.notices import to_header
from tests.api.conftest import Lines
from tests.fake_ollama import FakeOllama


@pytest.mark.parametrize(
    ("names", "header"),
    [
        (["user"], "user"),
        (["a", "b.c", "messages[0].name", "x-y_z"], "a,b.c,messages[0].name,x-y_z"),
        (["max_tokens=10"], "max_tokens=10"),
        (["a,b"], "a%2Cb"),
        (["a\r\nSet-Cookie: x"], "a%0D%0ASet-Cookie%3A%20x"),
        (["größe", "鍵", ""], "gr%C3%B6%C3%9Fe,%E9%8D%B5,"),
        (["%41"], "%2541"),
    ],
)
def test_names_are_encoded(names: list[str], header: str) -> None:
    assert to_header(names) == header


def test_twenty_names_are_told_and_the_rest_is_not() -> None:
    names = [f"n{number}" for number in range(25)]

    assert to_header(names) == ",".join([*names[:20], "..."])
    assert "..." not in to_header(names[:20])


@pytest.mark.parametrize("name", ["a" * 100, "é" * 100, "a" * 5000, "é" * 5000])
def test_the_header_stays_below_a_kilobyte_and_is_cut_between_names(name: str) -> None:
    header = to_header([name] * 20)

    assert len(header) <= 1024 + len(",...")
    assert header.endswith("...")


def test_a_name_that_a_client_made_up_cannot_break_the_headers(client: FlaskClient) -> None:
    body = {
        "messages": [{"role": "user", "content": "Hi"}],
        "model": "smollm2:135m",
        "a\r\nX-Evil: 1": 1,
        "ü" * 3000: 1,
    }
    response = client.post("/v1/chat/completions", json=body)

    assert response.status_code == 200
    assert "X-Evil" not in response.headers
    assert response.headers["X-Tensoria-Ignored"].startswith("a%0D%0AX-Evil%3A%201,")


HELLO = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("field", [{"verbosity": "low"}, {"mirostat": 1}])
def test_strict_mode_refuses_what_would_change_the_answer(
    client: FlaskClient, field: dict[str, Any]
) -> None:
    response = client.post(CHAT, json={**HELLO, **field}, headers={"X-Tensoria-Strict": "1"})

    assert response.status_code == 400
    assert response.get_json()["error"]["param"] == next(iter(field))
    assert response.get_json()["error"]["code"] == "unsupported_parameter"


def test_strict_mode_tells_harmless_fields_as_ever(client: FlaskClient) -> None:
    response = client.post(CHAT, json={**HELLO, "user": "u"}, headers={"X-Tensoria-Strict": "1"})

    assert response.status_code == 200
    assert response.headers["X-Tensoria-Ignored"] == "user"


@pytest.mark.parametrize(
    ("setting", "header", "status"),
    [("1", None, 400), ("1", "0", 200), ("0", None, 200), ("0", "1", 400), ("0", "", 200)],
)
def test_a_request_has_the_last_word_about_strict_mode(
    make_app: Callable[..., Flask], setting: str, header: str | None, status: int
) -> None:
    headers = {} if header is None else {"X-Tensoria-Strict": header}
    strict = make_app(STRICT=setting).test_client()
    response = strict.post(CHAT, json={**HELLO, "verbosity": "low"}, headers=headers)

    assert response.status_code == status


def test_a_refused_field_reaches_no_engine(fake: FakeOllama, client: FlaskClient) -> None:
    response = client.post(CHAT, json={**HELLO, "functions": [{"name": "f"}]})

    assert response.status_code == 400
    assert response.get_json()["error"]["param"] == "functions"
    assert fake.requests == []


def test_the_log_names_fields_and_counts_what_clients_made_up(
    client: FlaskClient, log: Lines
) -> None:
    body = {
        **HELLO,
        "messages": [{"role": "user", "content": "Hi", "canary7f3": 1}],
        "user": "u",
        "canary7f3": 1,
        "canary7f3.x": 1,
    }
    client.post(CHAT, json=body)
    (line,) = log.of_requests()

    assert " ignored=messages.*,user ignored_unknown=2 " in line
    assert "canary7f3" not in line
