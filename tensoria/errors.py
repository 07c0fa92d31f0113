"""Every error that Tensoria answers with, as one tree.

    TensoriaError
    ├── RequestError            400  the caller can mend it
    │   ├── InvalidRequest      400  invalid_value            a field is wrong
    │   ├── UnsupportedParameter 400 unsupported_parameter    a field that is not served
    │   ├── ContextLengthExceeded 400 context_length_exceeded the prompt does not fit
    │   ├── AuthenticationError 401  invalid_api_key
    │   ├── ModelNotFound       404  model_not_found
    │   ├── NotFound            404  not_found                no such path
    │   ├── MethodNotAllowed    405  method_not_allowed
    │   ├── RequestTooLarge     413  request_too_large
    │   ├── UnsupportedMediaType 415 unsupported_media_type
    │   ├── RateLimited         429  rate_limit_exceeded      this caller or key has its share
    │   └── ClientClosed        499  client_closed_request    nobody waits for the answer
    ├── BackendError            502  engine_error             the engine broke, or spoke nonsense
    │   ├── BackendUnavailable  503  engine_unavailable       nothing was sent yet
    │   ├── BackendOverloaded   503  overloaded               the engine's own queue is full
    │   ├── ModelLoadFailed     503  model_load_failed
    │   ├── BackendTimeout      504  timeout
    │   └── StructuredOutputInvalid 502 structured_output_invalid the answer misses its schema
    ├── ServiceStopping         503  service_stopping         the time for what still runs is up
    ├── Overloaded              503  overloaded               our queue is full, or too slow
    ├── StorageUnavailable      503  storage_unavailable      what is kept cannot be reached
    └── InternalError           500  internal_error           our own fault

The names are those that clients know (openai-python's `_exceptions.py`); the envelope is OpenAI's
(platform.openai.com/docs/guides/error-codes). No message may hold a key, a prompt or a raw
upstream body.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from tensoria.wire.errors import Envelope


class TensoriaError(Exception):
    """An error with a place in the tree: status, OpenAI's type and code, and extra headers."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: str = "internal_error"
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code

    def envelope(self) -> Envelope:
        """Return the body that the client sees."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class RequestError(TensoriaError):
    """The request is at fault, and repeating it unchanged does not help."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class InvalidRequest(RequestError):
    """A field holds a wrong value; `param` names it."""

    code = "invalid_value"


class UnsupportedParameter(RequestError):
    """A field that OpenAI has and this service does not honour (yet); `param` names it."""

    code = "unsupported_parameter"


class ContextLengthExceeded(RequestError):
    """The prompt is longer than the context.

    The words are those that clients search for ("maximum context length is"). Before 0.30 Ollama
    tells no numbers, so either may be missing.
    """

    code = "context_length_exceeded"

    def __init__(self, *, context: int | None, prompt: int | None, param: str = "messages") -> None:
        limit = f"{context} tokens" if context else "not told by its engine"
        asked = f"{prompt} tokens" if prompt else "more tokens"
        super().__init__(
            f"This model's maximum context length is {limit}. "
            f"However, your {param} resulted in {asked}.",
            param=param,
        )


class AuthenticationError(RequestError):
    """No key, or a wrong one."""

    status = 401
    code = "invalid_api_key"
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="tensoria"'}


class ModelNotFound(RequestError):
    """The engine answers, and does not have the model."""

    status = 404
    code = "model_not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message, param="model")


class NotFound(RequestError):
    """No route has this path."""

    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    """The path exists, with other methods."""

    status = 405
    code = "method_not_allowed"


class RequestTooLarge(RequestError):
    """The body is longer than MAX_BODY_MB."""

    status = 413
    code = "request_too_large"


class UnsupportedMediaType(RequestError):
    """The body does not claim to be JSON, or is encoded."""

    status = 415
    code = "unsupported_media_type"


class RateLimited(RequestError):
    """This caller has as much of the queue as one caller may have, or all that its key has."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class ClientClosed(RequestError):
    """The client hung up before its answer was whole; the status is nginx's.

    Only a client that closed no more than its own half of the connection ever reads it.
    """

    status = 499
    code = "client_closed_request"

    def __init__(self, message: str = "The client hung up before the answer was whole.") -> None:
        super().__init__(message)


class RequestEnded(BaseException):
    """Thrown into a request, wherever it waits, to end it; `error` says why.

    Not even an Exception: whatever takes those must not take this. At the door it becomes `error`.
    """

    def __init__(self, error: TensoriaError) -> None:
        super().__init__(error.message)
        self.error = error


class BackendError(TensoriaError):
    """The engine broke off, answered nonsense, or reported an error of its own."""

    status = 502
    code = "engine_error"


class BackendUnavailable(BackendError):
    """The engine could not be reached; nothing of the request was sent."""

    status = 503
    code = "engine_unavailable"


class BackendOverloaded(BackendError):
    """The engine's own queue is full, or it is still starting."""

    status = 503
    code = "overloaded"
    headers: Mapping[str, str] = {"Retry-After": "5"}


class ModelLoadFailed(BackendError):
    """The engine could not load the model: memory, or a broken file. A repeat would not help."""

    status = 503
    code = "model_load_failed"
    headers: Mapping[str, str] = {"x-should-retry": "false"}


class BackendTimeout(BackendError):
    """The engine took longer than a limit allows. SDKs must not repeat it on the only GPU."""

    status = 504
    code = "timeout"
    headers: Mapping[str, str] = {"x-should-retry": "false"}


class StructuredOutputInvalid(BackendError):
    """The finished answer misses the form that was asked for. A repeat is the caller's choice."""

    code = "structured_output_invalid"
    headers: Mapping[str, str] = {"x-should-retry": "false"}


class Overloaded(TensoriaError):
    """More is asked of the service than it can queue, or than it can run in time."""

    status = 503
    code = "overloaded"


class ServiceStopping(TensoriaError):
    """The service ends, or begins anew with other settings; a repeat finds the next one."""

    status = 503
    code = "service_stopping"
    headers: Mapping[str, str] = {"Retry-After": "5"}

    def __init__(self, message: str = "The service is stopping, and this took too long.") -> None:
        super().__init__(message)


class StorageUnavailable(TensoriaError):
    """The disk that keeps responses fails, is full, or takes too long; a repeat may succeed."""

    status = 503
    code = "storage_unavailable"
    headers: Mapping[str, str] = {"Retry-After": "5"}


class InternalError(TensoriaError):
    """A fault of ours; the details are in the log, never in the answer."""
