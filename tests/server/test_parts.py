"""What stands in for parts of gunicorn gives what they give, for less."""

import inspect
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi

from tensoria.server import parts


@pytest.fixture
def calls() -> list[object]:
    return []


def test_the_environ_that_all_requests_have_is_made_once_and_shared_by_none(
    calls: list[object],
) -> None:
    def original(cfg: object) -> dict[str, object]:
        calls.append(cfg)
        return {"wsgi.version": (1, 0)}

    base_environ = parts.environ_of(original)
    first = base_environ("cfg")
    first["HTTP_AUTHORIZATION"] = "Bearer secret"

    assert base_environ("cfg") == {"wsgi.version": (1, 0)}
    assert calls == ["cfg"]


def test_a_date_is_formatted_once_a_second_and_as_gunicorn_does(
    calls: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def original(timestamp: float) -> str:
        calls.append(timestamp)
        return str(util.http_date(timestamp))

    http_date = parts.date_of(original)
    for moment in (1_700_000_000.1, 1_700_000_000.9, 1_700_000_001.0):
        monkeypatch.setattr(parts.time, "time", lambda moment=moment: moment)
        http_date()

    assert calls == [1_700_000_000, 1_700_000_001]
    assert http_date() == http_date(1_700_000_001.5) == "Tue, 14 Nov 2023 22:13:21 GMT"
    assert parsedate_to_datetime(http_date()).timestamp() == 1_700_000_001


@pytest.fixture
def restored() -> Iterator[None]:
    before = (wsgi.Response, wsgi.base_environ, util.http_date, util.write_error)
    yield
    wsgi.Response, wsgi.base_environ, util.http_date, util.write_error = before


def test_gunicorn_finds_each_part_where_it_looks_for_it(restored: None) -> None:
    """Against a release that looks elsewhere: its own would be used without a word."""
    original = wsgi.base_environ(Config())
    parts.install()

    assert wsgi.base_environ(Config()).keys() == original.keys()
    assert wsgi.default_environ.__globals__["base_environ"] is wsgi.base_environ
    assert wsgi.create.__globals__["Response"] is wsgi.Response
    assert "util.http_date()" in inspect.getsource(wsgi.Response.default_headers)
    assert util.http_date().endswith(" GMT")
