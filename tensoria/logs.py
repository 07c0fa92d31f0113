"""Log lines: one a request, as text for people or as JSON for Google Cloud Logging.

A line never holds a key, a prompt or an upstream body. That includes exceptions, whose messages
may quote any of them: a line names the class and the places it came through, and nothing else.
"""

import json
import logging
import logging.config
import re
import time
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from traceback import walk_tb
from typing import Any

import orjson

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

Fields = dict[str, str | int | float | bool | None]

_NEEDS_QUOTES = re.compile(r'[ "=]')
_QUIET = frozenset({"ERROR", "CRITICAL"})


class _Formatter(logging.Formatter):
    """Shared by both formats: which members a record has beyond its message."""

    def members(self, record: logging.LogRecord) -> Fields:
        members: Fields = dict(getattr(record, "fields", {}))
        if "request_id" not in members and (current := request_id.get()):
            members["request_id"] = current
        if record.exc_info and record.exc_info[1]:
            members.update(_exception(record.exc_info[1]))
        return members


class TextFormatter(_Formatter):
    """`2026-11-23T16:42:01.123Z INFO tensoria.request: POST /v1/… 200 request_id=…`."""

    def format(self, record: logging.LogRecord) -> str:
        members = self.members(record)
        pairs = "".join(f" {key}={_plain(value)}" for key, value in members.items())
        head = f"{_time(record)} {record.levelname} {record.name}: "
        return head + _one_line(record.getMessage()) + pairs


class JsonFormatter(_Formatter):
    """One JSON object a line, with `severity` and `message` as Google Cloud Logging reads them.

    Source: cloud.google.com/logging/docs/structured-logging
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "severity": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            **self.members(record),
        }
        try:
            text = orjson.dumps(line, default=str).decode()
        except orjson.JSONEncodeError:  # half of a surrogate pair, from bytes that were no UTF-8
            text = ""
        # orjson lets U+2028 and the C1 control codes through, which a terminal or a reader that
        # splits at them takes for more than text.
        return text if text and text.isprintable() else json.dumps(line, default=str)


class Stderr(logging.StreamHandler):  # type: ignore[type-arg]  # the stream is given by name
    """Python's handler; stderr passes each line on by itself (since 3.9, to a file as well)."""

    def createLock(self) -> None:  # logging's own name
        """Called once: a line is one write, which needs no lock of ours."""
        self.lock = None

    def flush(self) -> None:
        """Called after each line."""


def config(level: str, log_format: str) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`: everything goes to stderr."""
    formatter = JsonFormatter if log_format == "json" else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {
            "stderr": {
                "()": Stderr,
                "formatter": "line",
                "stream": "ext://sys.stderr",
            }
        },
        # Other libraries tell their warnings at most.
        "root": {"level": level if level in _QUIET else "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "tensoria": {"level": level},
            # It warns of each connection that more requests at once than the pool holds have left.
            "urllib3.connectionpool": {"level": "ERROR"},
            # gunicorn gives its loggers handlers of its own; theirs would double each line.
            "gunicorn.error": {"level": level, "handlers": [], "propagate": True},
            "gunicorn.access": {"level": level, "handlers": [], "propagate": True},
        },
    }


def configure(level: str, log_format: str) -> None:
    """Set logging up in this process, without the parts of a record that no line shows.

    Source: docs.python.org/3/howto/logging.html#optimization
    """
    logging.config.dictConfig(config(level, log_format))
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # so that page has it


@lru_cache(maxsize=4)
def _second(unix_seconds: int) -> str:
    """Requests come by the thousand in one second, and it is formatted once."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_seconds))


def _time(record: logging.LogRecord) -> str:
    return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


def _exception(error: BaseException) -> Fields:
    """Name the class and the places; the message may quote a prompt and stays out."""
    frames = [
        f"{Path(frame.f_code.co_filename).name}:{line}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return {"error": type(error).__name__, "where": " > ".join(frames[-8:])}


def _plain(value: object) -> str:
    """Quote what could be taken for the end of a value, or for another member."""
    text = _one_line(str(value))
    if not _NEEDS_QUOTES.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one_line(text: str) -> str:
    """Keep a client's line break or escape code from forging a second line."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
