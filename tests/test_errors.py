"""The tree of errors: each one's place, and the envelope that clients get."""

import pytest

from tensoria import errors
from tensoria.errors import (
    AuthenticationError,
    BackendError,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    ClientClosed,
    ContextLengthExceeded,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    ModelLoadFailed,
    ModelNotFound,
    NotFound,
    Overloaded,
    RateLimited,
    RequestError,
    RequestTooLarge,
    ServiceStopping,
    StorageUnavailable,
    StructuredOutputInvalid,
    TensoriaError,
    UnsupportedMediaType,
    UnsupportedParameter,
)

# The design's section 5: (error, status, type, code, headers)
NO_RETRY = {"x-should-retry": "false"}
OURS, THEIRS = "server_error", "invalid_request_error"
TREE = [
    (RequestError, 400, THEIRS, "invalid_request", {}),
    (InvalidRequest, 400, THEIRS, "invalid_value", {}),
    (UnsupportedParameter, 400, THEIRS, "unsupported_parameter", {}),
    (NotFound, 404, THEIRS, "not_found", {}),
    (ModelNotFound, 404, THEIRS, "model_not_found", {}),
    (MethodNotAllowed, 405, THEIRS, "method_not_allowed", {}),
    (RequestTooLarge, 413, THEIRS, "request_too_large", {}),
    (UnsupportedMediaType, 415, THEIRS, "unsupported_media_type", {}),
    (RateLimited, 429, "rate_limit_error", "rate_limit_exceeded", {}),
    (ClientClosed, 499, THEIRS, "client_closed_request", {}),
    (BackendError, 502, OURS, "engine_error", {}),
    (ServiceStopping, 503, OURS, "service_stopping", {"Retry-After": "5"}),
    (BackendUnavailable, 503, OURS, "engine_unavailable", {}),
    (ModelLoadFailed, 503, OURS, "model_load_failed", NO_RETRY),
    (StructuredOutputInvalid, 502, OURS, "structured_output_invalid", NO_RETRY),
    (BackendTimeout, 504, OURS, "timeout", NO_RETRY),
    (Overloaded, 503, OURS, "overloaded", {}),
    (StorageUnavailable, 503, OURS, "storage_unavailable", {"Retry-After": "5"}),
    (InternalError, 500, OURS, "internal_error", {}),
]
ELSEWHERE = {ContextLengthExceeded, AuthenticationError, BackendOverloaded}


@pytest.mark.parametrize(("error", "status", "type_", "code", "headers"), TREE)
def test_place_of_an_error(
    error: type[TensoriaError], status: int, type_: str, code: str, headers: dict[str, str]
) -> None:
    made = error("Words.")
    assert (made.status, made.type, made.code, made.headers) == (status, type_, code, headers)


def test_every_error_is_in_the_table() -> None:
    def below(error: type[TensoriaError]) -> set[type[TensoriaError]]:
        return {error}.union(*(below(child) for child in error.__subclasses__()))

    assert below(TensoriaError) - {TensoriaError} == {row[0] for row in TREE} | ELSEWHERE


def test_every_error_is_drawn_in_the_tree() -> None:
    for error in [*(row[0] for row in TREE), *ELSEWHERE]:
        assert f"{error.__name__} " in str(errors.__doc__), error


@pytest.mark.parametrize(
    ("caught", "error"),
    [
        (RequestError, InvalidRequest("")),
        (RequestError, AuthenticationError("")),
        (RequestError, ModelNotFound("")),
        (BackendError, BackendUnavailable("")),
        (BackendError, BackendTimeout("")),
        (TensoriaError, InternalError("")),
    ],
)
def test_error_is_caught_by_its_branch(caught: type[TensoriaError], error: TensoriaError) -> None:
    with pytest.raises(caught):
        raise error


def test_envelope_has_openais_four_members() -> None:
    assert InvalidRequest("Words.", param="top_p").envelope() == {
        "error": {
            "message": "Words.",
            "type": "invalid_request_error",
            "param": "top_p",
            "code": "invalid_value",
        }
    }


def test_param_is_null_when_no_field_is_at_fault() -> None:
    assert BackendError("Words.").envelope() == {
        "error": {
            "message": "Words.",
            "type": "server_error",
            "param": None,
            "code": "engine_error",
        }
    }


def test_own_code_is_that_errors_alone() -> None:
    assert InvalidRequest("Words.", code="invalid_json").code == "invalid_json"
    assert InvalidRequest("Words.").code == "invalid_value"


def test_missing_model_is_at_the_field_model() -> None:
    assert ModelNotFound("Words.").envelope()["error"]["param"] == "model"


def test_missing_key_names_the_scheme() -> None:
    error = AuthenticationError("Words.")
    assert (error.status, error.type, error.code) == (401, THEIRS, "invalid_api_key")
    assert error.headers["WWW-Authenticate"].startswith("Bearer")


def test_full_engine_says_when_to_come_again() -> None:
    """SDKs give up on more than 60 seconds."""
    error = BackendOverloaded("Words.")
    assert (error.status, error.type, error.code) == (503, OURS, "overloaded")
    assert 0 < int(error.headers["Retry-After"]) <= 60


OVERFLOWS = [
    (
        4096,
        5000,
        "This model's maximum context length is 4096 tokens. "
        "However, your messages resulted in 5000 tokens.",
    ),
    (
        4096,
        None,
        "This model's maximum context length is 4096 tokens. "
        "However, your messages resulted in more tokens.",
    ),
    (
        None,
        5000,
        "This model's maximum context length is not told by its engine. "
        "However, your messages resulted in 5000 tokens.",
    ),
    (
        None,
        None,
        "This model's maximum context length is not told by its engine. "
        "However, your messages resulted in more tokens.",
    ),
]


@pytest.mark.parametrize(("context", "prompt", "message"), OVERFLOWS)
def test_overflow_is_told_in_the_words_that_clients_look_for(
    context: int | None, prompt: int | None, message: str
) -> None:
    assert ContextLengthExceeded(context=context, prompt=prompt).envelope() == {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        }
    }
    assert ContextLengthExceeded.status == 400


def test_overflow_names_the_field_that_overflowed() -> None:
    error = ContextLengthExceeded(context=1, prompt=2, param="input")
    assert error.param == "input"
    assert "your input resulted in 2 tokens" in error.message
