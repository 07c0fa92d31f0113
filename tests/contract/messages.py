"""Judge an answer of Anthropic's API by the types of its own SDK, strictly.

No value is converted, and no member is taken that the types do not have, but for our extensions.
"""

from typing import Any

import orjson
from anthropic.types import Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent
from anthropic.types.shared import ErrorResponse
from pydantic import BaseModel, TypeAdapter, ValidationError

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "message": TypeAdapter(Message),
    "count": TypeAdapter(MessageTokensCount),
    "error": TypeAdapter(ErrorResponse),
    "event": TypeAdapter(RawMessageStreamEvent),
    "model": TypeAdapter(ModelInfo),
}
# OpenAI's words beside Anthropic's type of an error, and what X-Tensoria-Verbose asks for. The SDK
# reads an error's details, and has no member for them in the type of its envelope.
_OURS = {"code", "param", "tensoria", "details"}
# A type of the API's (docs.anthropic.com/en/api/errors) that the SDK knows by its status alone.
_BY_STATUS = {"request_too_large"}

Event = dict[str, Any]


def check(kind: str, body: Any) -> None:
    """Raise AssertionError unless a body is a valid `kind`: message, count, error, event, model."""
    if kind == "error" and body.get("error", {}).get("type") in _BY_STATUS:
        body = {**body, "error": {**body["error"], "type": "invalid_request_error"}}
    try:
        found = _ADAPTERS[kind].validate_json(orjson.dumps(body), strict=True)
    except ValidationError as error:
        raise AssertionError(f"not a valid {kind}: {error}\nthe body was: {body}") from error
    extra = _extra(found) - _OURS
    if extra:
        raise AssertionError(f"a {kind} has no members {extra}\nthe body was: {body}")


def check_answer(method: str, path: str, status: int, body: Any) -> None:
    """Raise AssertionError unless a plain answer is one of Anthropic's at this path."""
    if status >= 400:
        check("error", body)
        assert body["request_id"], body
    elif body.get("object") == "explanation":
        return
    elif path == "/v1/models":
        assert body.keys() == {"data", "has_more", "first_id", "last_id"}, body
        for model in body["data"]:
            check("model", model)
    elif path.startswith("/v1/models/"):
        check("model", body)
    else:
        check("count" if path.endswith("/count_tokens") else "message", body)


def events_of(body: bytes) -> list[Event]:
    """Return the events of a stream, pings left out; AssertionError where one has another name."""
    *blocks, rest = body.decode().split("\n\n")
    assert rest == "", f"the stream is cut inside an event: {rest!r}"
    events = []
    for block in blocks:
        name, _, data = block.partition("\n")
        event = orjson.loads(data.removeprefix("data: "))
        assert (name, data[:6]) == (f"event: {event['type']}", "data: "), block
        if event["type"] != "ping":
            events.append(event)
    return events


def check_stream(body: bytes) -> None:
    """Raise AssertionError unless a stream is Anthropic's: its events, their order, one end."""
    *events, last = events_of(body)
    for event in [*events, last]:
        check("error" if event["type"] == "error" else "event", event)
    if last["type"] == "error":
        _check_order(events, failed=True)
        return
    assert last["type"] == "message_stop", last
    _check_order(events, failed=False)


def _check_order(events: list[Event], *, failed: bool) -> None:
    """One message_start, blocks one after the other, and a message_delta behind the last."""
    names = [event["type"] for event in events]
    if not names and failed:
        return
    assert names[0] == "message_start", names
    is_open, count, ended = False, 0, False
    for event in events[1:]:
        name = event["type"]
        assert not ended, names
        if name == "content_block_start":
            assert (is_open, event["index"]) == (False, count), event
            is_open = True
        elif name == "content_block_delta":
            assert (is_open, event["index"]) == (True, count), event
        elif name == "content_block_stop":
            assert (is_open, event["index"]) == (True, count), event
            is_open, count = False, count + 1
        else:
            assert (name, is_open) == ("message_delta", False), event
            ended = True
    assert ended is not failed, names


def _extra(found: Any) -> set[str]:
    if isinstance(found, list):
        return set().union(*map(_extra, found))
    if not isinstance(found, BaseModel):
        return set()
    members = {name: getattr(found, name) for name in type(found).model_fields}
    return set(found.model_extra or ()).union(*map(_extra, members.values()))
