"""The paths to what is kept: responses, conversations and their items."""

from collections.abc import Iterable
from typing import Any

from apispec import APISpec

from tensoria.openapi.answers import Shape, to_reference
from tensoria.openapi.fields import or_null
from tensoria.openapi.response_items import INPUT
from tensoria.openapi.response_options import METADATA
from tensoria.schemas.conversations import MOST_ITEMS
from tensoria.wire.conversations import ConversationObject, Deleted, ItemList
from tensoria.wire.responses import Response, ResponseEvent

_JSON = "application/json"
_ERRORS = (400, 401, 404, 405, 500, 503)
_OF_BODY = (413, 415)
_RESPONSES = "/v1/responses/{response_id}"
_CONVERSATIONS = "/v1/conversations/{conversation_id}"
_ITEMS: Shape = {**INPUT["anyOf"][1], "maxItems": MOST_ITEMS}
_PART: list[Shape] = [
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    },
    {"name": "order", "in": "query", "schema": {"enum": ["asc", "desc"], "default": "desc"}},
    {
        "name": "after",
        "in": "query",
        "description": "The id of the item behind which the part begins.",
        "schema": {"type": "string", "minLength": 1},
    },
]
_AGAIN: list[Shape] = [
    {
        "name": "stream",
        "in": "query",
        "description": "Of a response in the background: its events, up to its end.",
        "schema": {"type": "boolean"},
    },
    {
        "name": "starting_after",
        "in": "query",
        "description": "The number of the last event that need not be sent again.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    },
]


class _Paths:
    """Adds operations; `known` are the errors that have a response in the document."""

    def __init__(self, spec: APISpec, known: frozenset[int]) -> None:
        self._spec = spec
        self._known = known

    def add(self, path: str, **operations: Shape) -> None:
        """Add what can be done at a path."""
        ids = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        named = [
            {"name": id_, "in": "path", "required": True, "schema": {"type": "string"}}
            for id_ in ids
        ]
        for operation in operations.values():
            operation["parameters"] = [*named, *operation["parameters"]]
        self._spec.path(path, operations=operations)

    def operation(
        self,
        name: str,
        summary: str,
        answer: Shape,
        *,
        parameters: Iterable[Shape] = (),
        body: Shape | None = None,
        streams: Shape | None = None,
    ) -> Shape:
        """Return one operation; `body` and `streams` are what is sent and streamed."""
        content: dict[str, Any] = {_JSON: {"schema": answer}}
        if streams is not None:
            data = {"type": "string", "contentMediaType": _JSON, "contentSchema": streams}
            event = {"type": "object", "properties": {"event": {"type": "string"}, "data": data}}
            content["text/event-stream"] = {"schema": event}
            content["application/x-ndjson"] = {"schema": streams}
        statuses = (*_ERRORS, *(_OF_BODY if body is not None else ()))
        errors = {
            str(status): f"Error{status}" for status in sorted(statuses) if status in self._known
        }
        operation: Shape = {
            "operationId": name,
            "summary": summary,
            "tags": ["What is kept"],
            "parameters": list(parameters),
            "responses": {"200": {"description": "As asked.", "content": content}, **errors},
        }
        if parameters:
            # Of gunicorn: a query may be as long as its client likes.
            operation["responses"]["414"] = {
                "description": "The request line is too long.",
                "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Envelope"}}},
            }
        if body is not None:
            operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": body}}}
        return operation


def add(spec: APISpec, errors: Iterable[int]) -> None:
    """Add the paths to the document; `errors` are the statuses that have a response there."""
    paths = _Paths(spec, frozenset(errors))
    listed = to_reference(spec, ItemList)
    _add_responses(spec, paths, listed)
    _add_conversations(spec, paths)
    _add_items(spec, paths, listed)


def _add_responses(spec: APISpec, paths: _Paths, listed: Shape) -> None:
    response, deleted = to_reference(spec, Response), to_reference(spec, Deleted)
    event = to_reference(spec, ResponseEvent)
    one = paths.operation
    paths.add(
        _RESPONSES,
        get=one(
            "retrieve_response", "Return a response", response, parameters=_AGAIN, streams=event
        ),
        delete=one("delete_response", "Forget a response", deleted),
    )
    paths.add(
        f"{_RESPONSES}/input_items",
        get=one("list_input_items", "List what was asked", listed, parameters=_PART),
    )
    paths.add(
        f"{_RESPONSES}/cancel",
        post=one("cancel_response", "End a response in the background", response),
    )


def _add_conversations(spec: APISpec, paths: _Paths) -> None:
    conversation = to_reference(spec, ConversationObject)
    deleted = to_reference(spec, Deleted)
    one = paths.operation
    new: Shape = {
        "type": "object",
        "properties": {"items": or_null(_ITEMS), "metadata": or_null(METADATA)},
    }
    changed = {"type": "object", "required": ["metadata"], "properties": {"metadata": METADATA}}
    paths.add(
        "/v1/conversations",
        post=one("create_conversation", "Begin a conversation", conversation, body=new),
    )
    paths.add(
        _CONVERSATIONS,
        get=one("retrieve_conversation", "Return a conversation", conversation),
        post=one("update_conversation", "Replace its metadata", conversation, body=changed),
        delete=one("delete_conversation", "Forget a conversation", deleted),
    )


def _add_items(spec: APISpec, paths: _Paths, listed: Shape) -> None:
    conversation = to_reference(spec, ConversationObject)
    one = paths.operation
    added: Shape = {"type": "object", "required": ["items"], "properties": {"items": _ITEMS}}
    paths.add(
        f"{_CONVERSATIONS}/items",
        get=one("list_conversation_items", "List what was said", listed, parameters=_PART),
        post=one("create_conversation_items", "Add items", listed, body=added),
    )
    paths.add(
        f"{_CONVERSATIONS}/items/{{item_id}}",
        get=one("retrieve_conversation_item", "Return one item", {"type": "object"}),
        delete=one("delete_conversation_item", "Take an item out", conversation),
    )
