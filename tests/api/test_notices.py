"""The names in X-Tensoria-Ignored: encoded, counted, cut."""

import pytest
from flask.testing import FlaskClient

from tensoria.api.notices import to_header


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
