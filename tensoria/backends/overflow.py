"""A prompt that is longer than the context: refused, or cut when CONTEXT_OVERFLOW says so.

It goes up as ever, to be refused, and only then once more to be cut. So an answer of which it is
told that its prompt was cut had its prompt cut, and no other had (Ollama 0.12.6 and later;
embeddings: every release).
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from tensoria.backends.body import Body
from tensoria.errors import ContextLengthExceeded, TensoriaError

Payload = TypeVar("Payload", bound=Mapping[str, Any])


def sent(
    payload: Payload,
    send: Callable[[Payload], Body],
    refused: Callable[[Body], TensoriaError],
    *,
    may_cut: bool,
) -> tuple[Body, dict[str, str]]:
    """Return the open answer of an Ollama to a request, and what was adjusted to get it.

    `refused` reads the error out of an answer whose status is not 200, and closes it. `shift` stays
    as it was: another value would make Ollama load the model anew.
    """
    body = send(payload)
    if body.status == 200:
        return body, {}
    error = refused(body)
    if not (may_cut and isinstance(error, ContextLengthExceeded)):
        raise error
    body = send(cast("Payload", {**payload, "truncate": True}))
    if body.status != 200:
        raise refused(body)
    return body, {"context": "truncated"}
