"""The map from the transport's exceptions to ours: it is whole, and it says the right thing."""

import builtins
import http.client
import inspect
import socket
from types import ModuleType

import pytest
import requests.exceptions as requests_errors
import urllib3.exceptions as urllib3_errors

from tensoria.backends.failures import CAUGHT, to_backend_error
from tensoria.backends.framing import FramingError
from tensoria.errors import BackendError, BackendTimeout, BackendUnavailable, ModelNotFound

# Raised while a proxy is chosen, and no proxy ever is (test_transport.py).
_OF_A_PROXY = (urllib3_errors.ProxySchemeUnsupported,)


def _errors_of(module: ModuleType) -> list[type[Exception]]:
    """Every exception class that a module names, without warnings and Python's own."""
    return [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception)
        and not issubclass(found, Warning)
        and found not in _OF_A_PROXY
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
URLLIB3 = _errors_of(urllib3_errors)
HTTP_CLIENT = _errors_of(http.client)
OS_ERRORS = _os_errors()


@pytest.mark.parametrize(
    "kind", [*REQUESTS, *URLLIB3, *HTTP_CLIENT, FramingError], ids=lambda k: k.__qualname__
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
    assert urllib3_errors.IncompleteRead in URLLIB3
    assert http.client.RemoteDisconnected in HTTP_CLIENT
    assert len(REQUESTS) > 20
    assert len(URLLIB3) > 25
    assert ConnectionResetError in OS_ERRORS


@pytest.mark.parametrize("kind", [KeyError, ModelNotFound, KeyboardInterrupt, MemoryError])
def test_an_error_that_is_not_the_transports_is_no_engine_failure(
    kind: type[BaseException],
) -> None:
    with pytest.raises(AssertionError, match="not in the map"):
        to_backend_error(_blank(kind))


def _wrapped(inner: Exception) -> requests_errors.ConnectionError:
    """As requests wraps urllib3's errors."""
    retries = urllib3_errors.MaxRetryError(None, "/api/chat", inner)  # type: ignore[arg-type]
    return requests_errors.ConnectionError(retries)


def _new_connection() -> urllib3_errors.NewConnectionError:
    return urllib3_errors.NewConnectionError(None, "refused")  # type: ignore[arg-type]


def _no_name() -> urllib3_errors.NameResolutionError:
    return urllib3_errors.NameResolutionError("engine", None, socket.gaierror())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_wrapped(_new_connection()), BackendUnavailable),
        (_wrapped(_no_name()), BackendUnavailable),
        (ConnectionRefusedError(), BackendUnavailable),
        (requests_errors.ConnectTimeout(), BackendUnavailable),
        (_wrapped(urllib3_errors.ConnectTimeoutError()), BackendUnavailable),
        (requests_errors.SSLError(), BackendUnavailable),
        (requests_errors.InvalidURL(), BackendUnavailable),
        (urllib3_errors.LocationParseError("engine..host"), BackendUnavailable),
        (requests_errors.ReadTimeout(), BackendTimeout),
        (_wrapped(urllib3_errors.ReadTimeoutError(None, "/", "slow")), BackendTimeout),  # type: ignore[arg-type]
        (TimeoutError(), BackendTimeout),
        (requests_errors.ConnectionError(TimeoutError()), BackendTimeout),
        (ConnectionResetError(), BackendError),
        (BrokenPipeError(), BackendError),
        (urllib3_errors.ProtocolError("aborted", http.client.RemoteDisconnected("")), BackendError),
        (requests_errors.ChunkedEncodingError(), BackendError),
        (http.client.IncompleteRead(b"half"), BackendError),
        (http.client.BadStatusLine("nonsense"), BackendError),
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


def test_an_error_that_wraps_itself_ends() -> None:
    error = requests_errors.ConnectionError()
    error.args = (error,)

    assert to_backend_error(error).code == "engine_error"
