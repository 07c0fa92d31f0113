"""The map from the transport's exceptions to ours: it is whole, and it says the right thing."""

import builtins
import inspect
import socket
from types import ModuleType

import pytest
import requests.exceptions as requests_errors

from tensoria.backends.address import Unreached
from tensoria.backends.answer import Unanswered
from tensoria.backends.failures import CAUGHT, to_backend_error
from tensoria.backends.framing import FramingError
from tensoria.errors import BackendError, BackendTimeout, BackendUnavailable, ModelNotFound


def _errors_of(module: ModuleType) -> list[type[Exception]]:
    """Every exception class that a module names, without warnings and Python's own."""
    return [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception)
        and not issubclass(found, Warning)
        and found.__module__.startswith(module.__name__.partition(".")[0])
    ]


def _os_errors() -> list[type[OSError]]:
    """Python's own kinds of OSError; those of other libraries cannot come out of a socket."""
    named = [found for _, found in inspect.getmembers(builtins, inspect.isclass)]
    return [kind for kind in [*named, socket.gaierror, socket.herror] if issubclass(kind, OSError)]


def _blank(kind: type[BaseException]) -> BaseException:
    """An instance without its constructor: these want pools, responses and the like."""
    return kind.__new__(kind)


REQUESTS = _errors_of(requests_errors)
OS_ERRORS = _os_errors()


@pytest.mark.parametrize(
    "kind", [*REQUESTS, Unreached, Unanswered, FramingError], ids=lambda k: k.__qualname__
)
def test_every_error_of_the_transport_is_caught_and_mapped(kind: type[Exception]) -> None:
    error = to_backend_error(_blank(kind))

    assert issubclass(kind, CAUGHT)
    assert error.status in (502, 503, 504)
    assert error.code in ("engine_error", "engine_unavailable", "timeout")


@pytest.mark.parametrize("kind", OS_ERRORS, ids=lambda kind: kind.__qualname__)
def test_every_error_of_the_operating_system_is_caught_and_mapped(kind: type[OSError]) -> None:
    assert issubclass(kind, CAUGHT)
    assert to_backend_error(kind()).status in (502, 503, 504)


def test_the_walk_finds_the_errors_that_matter() -> None:
    """Against a walk that finds nothing and so proves nothing."""
    assert requests_errors.ConnectTimeout in REQUESTS
    assert len(REQUESTS) > 20
    assert ConnectionResetError in OS_ERRORS


@pytest.mark.parametrize("kind", [KeyError, ModelNotFound, KeyboardInterrupt, MemoryError])
def test_an_error_that_is_not_the_transports_is_no_engine_failure(
    kind: type[BaseException],
) -> None:
    with pytest.raises(AssertionError, match="not in the map"):
        to_backend_error(_blank(kind))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unreached(), BackendUnavailable),
        (ConnectionRefusedError(), BackendUnavailable),
        (requests_errors.ConnectTimeout(), BackendUnavailable),
        (requests_errors.SSLError(), BackendUnavailable),
        (requests_errors.InvalidURL(), BackendUnavailable),
        (requests_errors.ReadTimeout(), BackendTimeout),
        (TimeoutError(), BackendTimeout),
        (ConnectionResetError(), BackendError),
        (Unanswered(), BackendError),
        (BrokenPipeError(), BackendError),
        (requests_errors.ChunkedEncodingError(), BackendError),
        (FramingError("a chunk without a size"), BackendError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_what_an_error_becomes(error: Exception, expected: type[BackendError]) -> None:
    assert type(to_backend_error(error)) is expected


def test_the_message_quotes_nothing_of_the_error() -> None:
    """Its text may hold the address, a path or a piece of an answer."""
    error = to_backend_error(requests_errors.ConnectionError("canary http://10.0.0.7:11434"))

    assert "canary" not in error.message
    assert "10.0.0.7" not in error.message
