"""Whether a request speaks Anthropic's API, which has errors and lists of models of its own."""

from collections.abc import Callable
from functools import partial

from tensoria.api.record import record
from tensoria.api.services import this_request
from tensoria.errors import TensoriaError
from tensoria.translate.message_errors import to_envelope

# Errors on these paths have Anthropic's envelope, whoever asks and whatever is wrong.
MESSAGES = "/v1/messages"
_MODELS = "/v1/models"


def speaks_anthropic() -> bool:
    """Tell by the path; where both APIs have it, by the header that Anthropic's clients send."""
    asked = this_request()
    path = asked.path
    if _is_below(path, MESSAGES):
        return True
    return _is_below(path, _MODELS) and bool(asked.environ.get("HTTP_ANTHROPIC_VERSION"))


def envelope(error: TensoriaError) -> object:
    """Return the body of an error, in the words of whoever asked."""
    return envelope_of_request()(error) if speaks_anthropic() else error.envelope()


def envelope_of_request() -> Callable[[TensoriaError], object]:
    """Return what makes the body of an error in Anthropic's words, outside the request too."""
    return partial(to_envelope, request_id=str(record().fields["request_id"]))


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/")
