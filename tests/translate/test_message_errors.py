"""Errors in Anthropic's envelope."""

import pytest

from tensoria.errors import (
    AuthenticationError,
    BackendError,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    ContextLengthExceeded,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    ModelLoadFailed,
    ModelNotFound,
    RateLimited,
    RequestTooLarge,
    ServiceStopping,
    TensoriaError,
    UnsupportedMediaType,
    UnsupportedParameter,
)
from tensoria.translate.message_errors import to_envelope, to_type
from tests.contract.messages import check


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidRequest("x"), "invalid_request_error"),
        (ContextLengthExceeded(context=1, prompt=2), "invalid_request_error"),
        (MethodNotAllowed("x"), "invalid_request_error"),
        (UnsupportedMediaType("x"), "invalid_request_error"),
        (AuthenticationError("x"), "authentication_error"),
        (ModelNotFound("x"), "not_found_error"),
        (RequestTooLarge("x"), "request_too_large"),
        (RateLimited("x"), "rate_limit_error"),
        (BackendOverloaded("x"), "overloaded_error"),
        (ServiceStopping(), "overloaded_error"),
        (BackendUnavailable("x"), "api_error"),
        (ModelLoadFailed("x"), "api_error"),
        (BackendError("x"), "api_error"),
        (InternalError("x"), "api_error"),
        (BackendTimeout("x"), "timeout_error"),
    ],
)
def test_every_error_has_a_type_of_anthropics(error: TensoriaError, expected: str) -> None:
    envelope = to_envelope(error, "req_1")

    assert to_type(error) == envelope["error"]["type"] == expected
    check("error", envelope)


def test_an_error_names_field_code_and_request() -> None:
    error = InvalidRequest("Invalid value for 'messages[0].role': no.", param="messages[0].role")

    assert to_envelope(error, "req_1") == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "Invalid value for 'messages[0].role': no.",
            "code": "invalid_value",
            "param": "messages[0].role",
        },
        "request_id": "req_1",
    }


def test_a_field_of_the_chat_has_the_clients_name() -> None:
    error = InvalidRequest("'response_format' is not possible.", param="response_format")

    assert to_envelope(error, "r")["error"] == {
        "type": "invalid_request_error",
        "message": "'output_config.format' is not possible.",
        "code": "invalid_value",
        "param": "output_config.format",
    }


def test_a_thread_is_refused_so_that_the_sdk_goes_on_without_one() -> None:
    error = UnsupportedParameter("'thread' is not supported.", param="thread")

    assert to_envelope(error, "r")["error"]["details"] == {
        "error_code": "thread_unsupported_request"
    }


def test_an_error_of_no_field_names_none() -> None:
    assert "param" not in to_envelope(InternalError("x"), "r")["error"]
