"""Errors in Anthropic's envelope (docs.anthropic.com/en/api/errors)."""

from tensoria.errors import TensoriaError
from tensoria.wire.messages import MessageErrorBody, MessageErrorEnvelope

_BY_STATUS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
# At Anthropic these are a 529, which nothing else knows; the status stays 503.
_OVERLOADED = frozenset({"overloaded", "service_stopping"})
# Fields of a chat that an engine's refusal may name, in the words of a message.
_NAMES = {"response_format": "output_config.format", "stop": "stop_sequences"}
# The SDK's tool runner first asks the service to keep the conversation (a beta). Told this, it
# sends all of it each time (anthropic 2.12, lib/threads/_thread_state.py).
_DETAILS = {"thread": "thread_unsupported_request"}


def to_envelope(error: TensoriaError, request_id: str) -> MessageErrorEnvelope:
    """Return the body that a client of Anthropic's sees; `code` and `param` stay OpenAI's."""
    message = error.message
    for name, ours in _NAMES.items():
        if error.param == name:
            message = message.replace(name, ours)
    body: MessageErrorBody = {"type": to_type(error), "message": message, "code": error.code}
    if error.param is not None:
        body["param"] = _NAMES.get(error.param, error.param)
        if error.param in _DETAILS:
            body["details"] = {"error_code": _DETAILS[error.param]}
    return {"type": "error", "error": body, "request_id": request_id}


def to_type(error: TensoriaError) -> str:
    """Return Anthropic's type of an error."""
    if error.code in _OVERLOADED:
        return "overloaded_error"
    if error.status in _BY_STATUS:
        return _BY_STATUS[error.status]
    return "invalid_request_error" if error.status < 500 else "api_error"
