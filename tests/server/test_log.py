"""gunicorn's own lines: what is wrong with a request, and never the client's words."""

import logging

import pytest
from gunicorn.config import Config
from gunicorn.http import errors

from tensoria.server.log import Logger

SECRET = "sk-key or prompt"


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> Logger:
    """gunicorn's logger as the worker has it, at its most talkative; caplog has its lines."""
    made = Logger(Config())
    made.error_log = logging.getLogger("tests.gunicorn")
    caplog.set_level(logging.DEBUG, logger="tests.gunicorn")
    return made


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.InvalidHeader(f"X-API-Key {SECRET}"), "Invalid HTTP Header"),
        (errors.InvalidHeader(f"X-API-Key '{SECRET}"), "Invalid HTTP Header"),
        (errors.InvalidRequestLine(f'"{SECRET}" HTTP'), "Invalid HTTP request line"),
        (errors.InvalidRequestLine(SECRET.encode()), "Invalid HTTP request line"),
        (errors.ExpectationFailed(SECRET), "Unable to comply with expectation"),
        (errors.LimitRequestLine(5000, 4094), "Request Line is too large (5000 > 4094)"),
    ],
)
def test_a_request_that_is_not_http_is_named_and_not_quoted(
    logger: Logger, caplog: pytest.LogCaptureFixture, error: Exception, told: str
) -> None:
    """As gunicorn's `handle_error` does it."""
    message = f"Invalid request from ip=::1: {error}"
    logger.warning(message)

    assert caplog.messages == [f"Invalid request from ip=::1: {told}"]


def test_a_head_that_was_cut_is_not_quoted(
    logger: Logger, caplog: pytest.LogCaptureFixture
) -> None:
    logger.debug("Ignored premature client disconnection. %s", errors.NoMoreData(SECRET.encode()))

    assert caplog.messages == ["Ignored premature client disconnection. NoMoreData"]


def test_the_query_of_a_request_that_failed_is_left_out(
    logger: Logger, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        raise RuntimeError
    except RuntimeError:
        logger.exception("Error handling request %s %s", "GET", f"/v1/models?key={SECRET}")

    assert caplog.messages == ["Error handling request GET /v1/models"]


def test_other_warnings_are_whole(logger: Logger, caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("Worker '%s' was terminated due to signal %s", 7, 9)

    assert caplog.messages == ["Worker '7' was terminated due to signal 9"]
