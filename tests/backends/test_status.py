"""The status that /ready tells: kept for a while, and its warnings logged once."""

import logging

import pytest

from tensoria.backends.base import EngineStatus
from tensoria.backends.status import Status


def _logged_by(caplog: pytest.LogCaptureFixture, *told: tuple[str, ...]) -> list[str]:
    answers = iter(told)
    status = Status(lambda: EngineStatus("ollama", "1.0.0", next(answers)), max_age_seconds=0)
    with caplog.at_level(logging.WARNING, logger="tensoria.engine"):
        for _ in told:
            status.get()
    return [record.getMessage() for record in caplog.records]


def test_a_warning_that_stays_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    assert _logged_by(caplog, ("a",), ("a", "b"), ("a", "b")) == ["a", "b"]


def test_a_warning_that_comes_back_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    assert _logged_by(caplog, ("a",), (), ("a",)) == ["a", "a"]


def test_a_status_without_warnings_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert _logged_by(caplog, (), ()) == []
