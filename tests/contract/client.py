"""A Flask test client through which no answer passes without being judged.

    app.test_client_class = ContractClient

Errors are judged on every path; successful answers by their path. A path below /v1/ that has no
line in `_KINDS` fails, so that a new endpoint cannot forget its contract.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.contract import messages
from tests.contract.embeddings import with_numbers
from tests.contract.kept import check_kept
from tests.contract.response_streams import check_response_events, check_response_stream
from tests.contract.schemas import check
from tests.contract.streams import check_stream

_KINDS = (
    ("POST", re.compile(r"/v1/chat/completions"), "chat.response"),
    ("POST", re.compile(r"/v1/completions"), "completion.response"),
    ("POST", re.compile(r"/v1/embeddings"), "embedding.response"),
    ("POST", re.compile(r"/v1/responses"), "response"),
    ("GET", re.compile(r"/v1/responses/[^/]+"), "response"),
    ("POST", re.compile(r"/v1/responses/[^/]+/cancel"), "response"),
    ("GET", re.compile(r"/v1/models"), "models.response"),
    ("GET", re.compile(r"/v1/models/.+"), "model"),
)
# Below /v1/ and without a kind in the contract's file: tests/contract/kept.py judges these.
_KEPT = re.compile(r"/v1/(responses/[^/]+(/input_items)?|conversations(/.+)?)")
# Pages about the API, which are not JSON and no part of OpenAI's.
_PAGES = re.compile(r"/docs(/assets/.+)?|/redoc")
_STREAMS = {"text/event-stream": False, "application/x-ndjson": True}


class ContractClient(FlaskClient):
    """Checks every answer: JSON when it comes, a stream at the moment when its end is read.

    A test that closes a stream early is not judged for what it never read.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        include_usage, choices = _asks_for_usage(kwargs), _asks_for_choices(kwargs)
        response = super().open(*args, **kwargs)
        if response.request.method == "HEAD":
            return response
        if _is_anthropic(response) and response.mimetype == "text/event-stream":
            response.response = _JudgedMessage(response.response)
            return response
        if response.mimetype in _STREAMS and response.status_code == 200:
            response.response = _Judged(
                response.response,
                ndjson=_STREAMS[response.mimetype],
                include_usage=include_usage,
                choices=choices,
                kind=_kind(response.request.method, response.request.path),
                resumed=response.request.method == "GET",
            )
        else:
            check_answer(response)
        return response


def check_answer(response: TestResponse) -> None:
    """Raise AssertionError unless a plain answer keeps the contract of its path and status."""
    method, path = response.request.method, response.request.path
    place = f"{method} {path} -> {response.status_code}"
    if response.status_code < 400 and (not response.get_data() or _PAGES.fullmatch(path)):
        return
    if response.mimetype != "application/json":
        raise AssertionError(f"{place}: {response.mimetype} in place of application/json")
    try:
        body = orjson.loads(response.get_data())
    except orjson.JSONDecodeError as exc:
        raise AssertionError(f"{place}: the body is not JSON: {exc}") from exc
    if _is_anthropic(response):
        assert response.headers["request-id"] == response.headers["X-Request-ID"], place
        messages.check_answer(method, path, response.status_code, body)
        return
    kind = "error" if response.status_code >= 400 else _kind(method, path)
    if kind == "kept":
        check_kept(body)
    elif kind is not None:
        check(kind, with_numbers(body) if kind == "embedding.response" else body)


def _is_anthropic(response: TestResponse) -> bool:
    """Tell whether the request speaks Anthropic's API, by its path or by its header."""
    path = re.sub(r"/+", "/", response.request.path).rstrip("/")
    if re.fullmatch(r"/v1/messages(/.*)?", path):
        return True
    named = bool(response.request.headers.get("anthropic-version"))
    return named and re.fullmatch(r"/v1/models(/.*)?", path) is not None


def _kind(method: str, path: str) -> str | None:
    """Find the contract of a path; None when OpenAI has no such path (/health, /ready, /)."""
    path = re.sub(r"/+", "/", path).rstrip("/")
    if path == "/v1/compat":
        return None
    for known_method, pattern, kind in _KINDS:
        if method == known_method and pattern.fullmatch(path):
            return kind
    if _KEPT.fullmatch(path):
        return "kept"
    if path.startswith("/v1/"):
        raise AssertionError(f"tests/contract/client.py knows no contract for {method} {path}")
    return None


def _asks_for_usage(kwargs: dict[str, Any]) -> bool | None:
    """Read `stream_options.include_usage` of the request; None when the body is not plain JSON."""
    request = kwargs.get("json")
    if not isinstance(request, dict):
        return None
    options = request.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _asks_for_choices(kwargs: dict[str, Any]) -> int | None:
    """Count the request's prompts, times `n`; None when its body is not plain JSON."""
    request = kwargs.get("json")
    if not isinstance(request, dict):
        return None
    prompt, count = request.get("prompt"), request.get("n")
    each = count if isinstance(count, int) else 1
    return each * len(prompt) if isinstance(prompt, list) else each


class _JudgedMessage:
    """The body of a streamed message, judged as `_Judged` is."""

    def __init__(self, body: Iterable[Any]) -> None:
        self._body = body
        self._parts = iter(body)
        self._read = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            part = next(self._parts)
        except StopIteration:
            messages.check_stream(bytes(self._read))
            raise
        self._read += part
        return part

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


class _Judged:
    """The body of a stream, judged once its last byte was read; an iterator with `close`."""

    def __init__(
        self,
        body: Iterable[Any],
        *,
        ndjson: bool,
        include_usage: bool | None,
        choices: int | None,
        kind: str | None,
        resumed: bool,
    ) -> None:
        self._body = body
        self._resumed = resumed
        self._parts = iter(body)
        self._read = bytearray()
        self._ndjson = ndjson
        self._include_usage = include_usage
        self._choices = choices
        self._kind = kind

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            part = next(self._parts)
        except StopIteration:
            self._check()
            raise
        self._read += part
        return part

    def _check(self) -> None:
        if self._kind == "response" and self._resumed:
            check_response_events(bytes(self._read), ndjson=self._ndjson)
            return
        if self._kind == "response":
            check_response_stream(bytes(self._read), ndjson=self._ndjson)
            return
        check_stream(
            bytes(self._read),
            ndjson=self._ndjson,
            include_usage=self._include_usage,
            text=self._kind == "completion.response",
            choices=self._choices,
        )

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
