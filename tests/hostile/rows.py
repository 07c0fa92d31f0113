"""One hostile request and its answer, and the few ways in which the tables write one down."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
MESSAGES = "/v1/messages"
MODEL = "smollm2:135m"
EMBEDDER = "all-minilm:latest"
USER = {"role": "user", "content": "Hi"}
# An ordinary request of each endpoint.
ORDINARY: dict[str, dict[str, Any]] = {
    CHAT: {"model": MODEL, "messages": [USER]},
    COMPLETIONS: {"model": MODEL, "prompt": "Hello"},
    EMBEDDINGS: {"model": EMBEDDER, "input": "Hello"},
    MESSAGES: {"model": MODEL, "max_tokens": 9, "messages": [USER]},
}
# In a body, a path or a header: the port of a listener that nobody must call.
PORT = "@port@"
UNSUPPORTED = "unsupported_parameter"


@dataclass(frozen=True)
class Row:
    """A request, the status of its answer, and for an error its code and the field it names.

    `environ` holds what WSGI hands over, headers included (HTTP_ACCEPT), as latin-1.
    """

    name: str
    status: int
    code: str | None = None
    param: str | None = None
    method: str = "POST"
    path: str = CHAT
    body: Callable[[], bytes] = bytes
    content_type: str | None = "application/json"
    environ: Mapping[str, str] = field(default_factory=dict)


def encoded(body: object) -> Callable[[], bytes]:
    """Return a body that is written when it is sent."""
    return lambda: orjson.dumps(body)


def taken(path: str, **members: Any) -> list[Row]:
    """Return rows that are answered: each value of each member beside an ordinary request."""
    return [
        Row(
            f"{path} {name} {_shown(value)} is taken",
            200,
            path=path,
            body=encoded({**ORDINARY[path], name: value}),
        )
        for name, values in members.items()
        for value in values
    ]


def refused(
    path: str, param: str, values: Iterable[Any], code: str = "invalid_value", **beside: Any
) -> list[Row]:
    """Return rows whose `param` is at fault: each is a value of the field that it begins with."""
    found = re.match(r"\w+", param)
    assert found
    return [
        Row(
            f"{path} {param} {_shown(value)}",
            400,
            code,
            param,
            path=path,
            body=encoded({**ORDINARY[path], **beside, found[0]: value}),
        )
        for value in values
    ]


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) < 80 else f"{text[:60]}... ({len(text)})"
