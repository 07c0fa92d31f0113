"""One map: whatever the transport raises, and the error of ours that it becomes.

A test walks every exception of requests and of the system and proves that the map is whole.
"""

import requests.exceptions as requests_errors

from tensoria.backends.address import Unreached
from tensoria.backends.framing import FramingError
from tensoria.errors import BackendError, BackendTimeout, BackendUnavailable

_Failure = tuple[type[BackendError], str]

_UNREACHED: _Failure = (BackendUnavailable, "The engine cannot be reached.")
_SLOW: _Failure = (BackendTimeout, "The engine did not answer in time.")
_BROKEN: _Failure = (BackendError, "The connection to the engine broke.")
_NONSENSE: _Failure = (BackendError, "The engine's answer cannot be read.")

# The first class that fits decides, so the narrow ones come first.
FAILURES: tuple[tuple[type[BaseException], _Failure], ...] = (
    (Unreached, _UNREACHED),
    (requests_errors.ConnectTimeout, _UNREACHED),
    (requests_errors.ProxyError, _UNREACHED),
    (requests_errors.SSLError, _UNREACHED),
    (requests_errors.InvalidURL, _UNREACHED),
    (ConnectionRefusedError, _UNREACHED),
    (requests_errors.Timeout, _SLOW),
    (TimeoutError, _SLOW),
    (requests_errors.ConnectionError, _BROKEN),
    (requests_errors.ChunkedEncodingError, _BROKEN),
    (FramingError, _NONSENSE),
    (requests_errors.RequestException, _NONSENSE),
    (OSError, _BROKEN),
)

CAUGHT = (FramingError, OSError)


def to_backend_error(error: BaseException) -> BackendError:
    """Return the error of ours for anything in CAUGHT; its message quotes nothing."""
    for known, (ours, message) in FAILURES:
        if isinstance(error, known):
            return ours(message)
    raise AssertionError(f"{type(error).__name__} is not in the map") from error
