"""One map: whatever the transport raises, and the error of ours that it becomes.

A test walks every exception of requests and urllib3 and proves that the map is whole.
"""

import http.client

import requests.exceptions as requests_errors
import urllib3.exceptions as urllib3_errors

from tensoria.backends.framing import FramingError
from tensoria.errors import BackendError, BackendTimeout, BackendUnavailable

_Failure = tuple[type[BackendError], str]

_UNREACHED: _Failure = (BackendUnavailable, "The engine cannot be reached.")
_SLOW: _Failure = (BackendTimeout, "The engine did not answer in time.")
_BROKEN: _Failure = (BackendError, "The connection to the engine broke.")
_NONSENSE: _Failure = (BackendError, "The engine's answer cannot be read.")

# The first class that fits decides, so the narrow ones come first. What requests wraps is looked
# at before the wrapper (`_causes`): its ConnectionError may be a refusal, a reset or a timeout.
FAILURES: tuple[tuple[type[BaseException], _Failure], ...] = (
    (urllib3_errors.NameResolutionError, _UNREACHED),
    (urllib3_errors.NewConnectionError, _UNREACHED),
    (urllib3_errors.ConnectTimeoutError, _UNREACHED),
    (requests_errors.ConnectTimeout, _UNREACHED),
    (urllib3_errors.ProxyError, _UNREACHED),
    (urllib3_errors.SSLError, _UNREACHED),
    (requests_errors.ProxyError, _UNREACHED),
    (requests_errors.SSLError, _UNREACHED),
    (requests_errors.InvalidURL, _UNREACHED),
    # A host name that no resolver would take (an empty label, one over 63 letters).
    (urllib3_errors.LocationValueError, _UNREACHED),
    (ConnectionRefusedError, _UNREACHED),
    (urllib3_errors.ReadTimeoutError, _SLOW),
    (requests_errors.Timeout, _SLOW),
    (TimeoutError, _SLOW),
    (urllib3_errors.ProtocolError, _BROKEN),
    (requests_errors.ConnectionError, _BROKEN),
    (requests_errors.ChunkedEncodingError, _BROKEN),
    (http.client.HTTPException, _BROKEN),
    (FramingError, _NONSENSE),
    (requests_errors.RequestException, _NONSENSE),
    (urllib3_errors.HTTPError, _NONSENSE),
    (OSError, _BROKEN),
)

CAUGHT = (
    requests_errors.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    FramingError,
    OSError,
)


def to_backend_error(error: BaseException) -> BackendError:
    """Return the error of ours for anything in CAUGHT; its message quotes nothing."""
    for cause in _causes(error):
        for known, (ours, message) in FAILURES:
            if isinstance(cause, known):
                return ours(message)
    raise AssertionError(f"{type(error).__name__} is not in the map") from error


def _causes(error: BaseException) -> list[BaseException]:
    """Return what the error wraps, innermost first, then the error.

    requests gives `args[0]`, urllib3's MaxRetryError gives `reason`.
    """
    chain = [error]
    while True:
        inner = getattr(chain[-1], "reason", None) or next(iter(chain[-1].args), None)
        if not isinstance(inner, BaseException) or inner in chain:
            break
        chain.append(inner)
    return chain[::-1]
