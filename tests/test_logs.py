"""Log lines: their form, their level, and what must never be in them."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tensoria import logs

# What a client may put into a path, a header or a name in the hope of a second line.
HOSTILE = [
    ("line feed", "a\nINFO forged"),
    ("carriage return", "a\rINFO forged"),
    ("vertical tab", "a\x0bforged"),
    ("ANSI escape", "a\x1b[2Kforged"),
    ("8-bit control sequence", "a\x9b2Kforged"),
    ("next line", "a\x85forged"),
    ("line separator", "a\u2028forged"),
    ("paragraph separator", "a\u2029forged"),
    ("right-to-left override", "a\u202eforged"),
    ("null", "a\x00forged"),
    ("delete", "a\x7fforged"),
    ("half a surrogate pair", "a\ud800forged"),
]
each_hostile_text = pytest.mark.parametrize(
    "text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE]
)
FORMATTERS = [logs.TextFormatter(), logs.JsonFormatter()]
each_format = pytest.mark.parametrize("formatter", FORMATTERS, ids=["text", "json"])
SECRET = "sk-the-key and the prompt"


def record(message: str = "hello", level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("tensoria.request", level, "file.py", 1, message, None, None)
    made.created, made.msecs = 1_795_452_121.5, 500.0
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(logs.JsonFormatter().format(made))
    return line


@pytest.fixture(autouse=True)
def outside_of_any_request() -> Iterator[None]:
    """A test that served a request in this thread leaves its id behind."""
    token = logs.request_id.set(None)
    yield
    logs.request_id.reset(token)


@pytest.fixture
def current_request() -> Iterator[str]:
    token = logs.request_id.set("req_current")
    yield "req_current"
    logs.request_id.reset(token)


@pytest.fixture
def raised() -> logging.LogRecord:
    """A record of an exception whose message quotes a secret, as does that of its cause."""

    def inner() -> None:
        raise KeyError(SECRET)

    try:
        try:
            inner()
        except KeyError as error:
            raise RuntimeError(SECRET) from error
    except RuntimeError as error:
        return record("it broke", logging.ERROR, exc_info=(type(error), error, error.__traceback__))


def test_text_line() -> None:
    made = record("POST /v1/chat/completions 200", fields={"status": 200, "duration_ms": 1.5})
    assert logs.TextFormatter().format(made) == (
        "2026-11-23T16:42:01.500Z INFO tensoria.request: "
        "POST /v1/chat/completions 200 status=200 duration_ms=1.5"
    )


def test_json_line_has_the_members_that_google_reads() -> None:
    assert as_json(record("hello", logging.WARNING, fields={"status": 503})) == {
        "time": "2026-11-23T16:42:01.500Z",
        "severity": "WARNING",
        "message": "hello",
        "logger": "tensoria.request",
        "status": 503,
    }


def test_arguments_are_filled_in() -> None:
    made = record("%s of %d")
    made.args = ("three", 4)
    assert as_json(made)["message"] == "three of 4"
    assert "three of 4" in logs.TextFormatter().format(made)


@each_format
@each_hostile_text
@pytest.mark.parametrize("place", ["message", "member"])
def test_hostile_text_stays_on_one_printable_line(
    formatter: logging.Formatter, text: str, place: str
) -> None:
    made = record(text) if place == "message" else record(fields={"ignored": text})
    line = formatter.format(made)
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert "forged" in line


@each_hostile_text
def test_json_line_keeps_hostile_text_as_it_was(text: str) -> None:
    assert as_json(record(text))["message"] == text


@pytest.mark.parametrize("text", ["olá", "日本語", "😀", 'a "b" \\c', ""])
def test_json_line_keeps_harmless_text_as_it_was(text: str) -> None:
    assert as_json(record(text))["message"] == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ('a" status=200 b="', '"a\\" status=200 b=\\""'),
        ("a=b", '"a=b"'),
        ("a\\ b", '"a\\\\ b"'),
        (None, "None"),
        (True, "True"),
        (0.5, "0.5"),
    ],
)
def test_member_of_a_text_line_cannot_forge_another(value: object, shown: str) -> None:
    line = logs.TextFormatter().format(record(fields={"name": value}))
    assert line.endswith(f": hello name={shown}")


def test_json_line_takes_values_that_json_has_not() -> None:
    assert as_json(record(fields={"place": {1}}))["place"] == "{1}"


@each_format
def test_current_requests_id_is_told(formatter: logging.Formatter, current_request: str) -> None:
    assert current_request in formatter.format(record())


def test_records_own_request_id_wins(current_request: str) -> None:
    """The line of a stream is written when its request's context has gone."""
    assert as_json(record(fields={"request_id": "req_own"}))["request_id"] == "req_own"


@each_format
def test_no_request_no_id(formatter: logging.Formatter) -> None:
    assert "request_id" not in formatter.format(record())


@each_format
def test_exception_gives_no_message(
    formatter: logging.Formatter, raised: logging.LogRecord
) -> None:
    line = formatter.format(raised)
    assert "sk-the-key" not in line
    assert len(line.splitlines()) == 1


def test_exception_gives_its_class_and_the_places(raised: logging.LogRecord) -> None:
    line = as_json(raised)
    assert line["error"] == "RuntimeError"
    assert line["where"].startswith("test_logs.py:")


def test_deep_exception_gives_its_last_eight_places() -> None:
    def sink(depth: int) -> None:
        if not depth:
            raise ValueError(SECRET)
        sink(depth - 1)

    try:
        sink(50)
    except ValueError as error:
        made = record(exc_info=(ValueError, error, error.__traceback__))
    assert len(as_json(made)["where"].split(" > ")) == 8


def test_exception_without_an_exception_is_a_plain_line() -> None:
    """`log.exception` outside an except block."""
    assert "error" not in as_json(record(exc_info=(None, None, None)))


PROGRAM = """
import logging, sys
from tensoria import logs
early = [logging.getLogger(name) for name in ("tensoria.request", "urllib3", "gunicorn.error")]
# As gunicorn leaves its own, before it reads `logconfig_dict`.
early[2].propagate = False
early[2].addHandler(logging.StreamHandler())
logs.configure(sys.argv[1], sys.argv[2])
for name in ("tensoria.request", "urllib3", "gunicorn.error"):
    for level in (10, 20, 30, 40, 50):
        logging.getLogger(name).log(level, f"{name}-{level}")
"""


def run(level: str, log_format: str) -> list[str]:
    """Log one line at each level to three loggers, in a process that has no other logging."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, log_format],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("level", "ours", "of_others"),
    [
        ("DEBUG", [10, 20, 30, 40, 50], [30, 40, 50]),
        ("INFO", [20, 30, 40, 50], [30, 40, 50]),
        ("WARNING", [30, 40, 50], [30, 40, 50]),
        ("ERROR", [40, 50], [40, 50]),
        ("CRITICAL", [50], [50]),
    ],
)
def test_log_level_is_obeyed(level: str, ours: list[int], of_others: list[int]) -> None:
    """Other libraries never tell more than warnings: urllib3's debug lines hold addresses."""
    expected = [
        *(f"tensoria.request-{number}" for number in ours),
        *(f"urllib3-{number}" for number in of_others),
        *(f"gunicorn.error-{number}" for number in ours),
    ]
    assert [line.rpartition(": ")[2] for line in run(level, "text")] == expected


def test_json_format_is_obeyed_for_every_logger() -> None:
    lines = [json.loads(line) for line in run("CRITICAL", "json")]
    assert [(line["severity"], line["message"]) for line in lines] == [
        ("CRITICAL", "tensoria.request-50"),
        ("CRITICAL", "urllib3-50"),
        ("CRITICAL", "gunicorn.error-50"),
    ]


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Put back what `configure` changes for the whole process."""
    names = ("", "tensoria", "gunicorn.error", "gunicorn.access")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one, one.level, one.handlers[:], one.propagate, one.disabled) for one in loggers]
    switches = (logging.logThreads, logging.logProcesses, logging.logMultiprocessing)
    source = logging._srcfile  # type: ignore[attr-defined]
    yield
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = switches
    logging._srcfile = source  # type: ignore[attr-defined]
    for one, level, handlers, propagate, disabled in before:
        one.setLevel(level)
        one.handlers[:] = handlers
        one.propagate, one.disabled = propagate, disabled


def test_configured_process_collects_only_what_a_line_shows(restored_logging: None) -> None:
    logs.configure("INFO", "json")
    made = logging.getLogger("tensoria").makeRecord("a", 20, "f", 1, "m", (), None)
    assert (made.threadName, made.process, made.processName) == (None, None, None)


def test_configure_twice_writes_each_line_once(
    restored_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", "text")
    logs.configure("INFO", "text")
    logging.getLogger("tensoria.x").info("only once")
    assert capsys.readouterr().err.count("only once") == 1
