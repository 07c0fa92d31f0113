"""The paths of Anthropic's API."""

from typing import Any

from apispec import APISpec

from tensoria.openapi import headers
from tensoria.openapi.answers import to_reference
from tensoria.schemas.endpoints import ENDPOINTS
from tensoria.wire.messages import AnthropicMessage, MessageErrorEnvelope, TokenCount

_STREAM = (
    "Anthropic's events by name: message_start, then of each block content_block_start, "
    "content_block_delta and content_block_stop, then message_delta and message_stop. After 200 a "
    "failure is an event `error`, and nothing follows it. An event `ping` says nothing."
)
_JSON = "application/json"
_STATUSES = ("400", "401", "404", "405", "413", "415", "429", "500", "502", "503", "504")
_MESSAGES = "/v1/messages"
_COUNT = "/v1/messages/count_tokens"
_EXAMPLE: dict[str, Any] = {
    "messages": [{"role": "user", "content": "What is the capital of France?"}]
}


def add(spec: APISpec) -> None:
    """Add both paths to the document."""
    envelope = {_JSON: {"schema": to_reference(spec, MessageErrorEnvelope)}}
    told = "An error in Anthropic's envelope, with OpenAI's `code` and `param` beside its type."
    spec.components.response("MessageError", {"description": told, "content": envelope})
    explained = {"title": "With X-Tensoria-Explain", "type": "object"}
    whole = {"anyOf": [to_reference(spec, AnthropicMessage), explained]}
    data = {"type": "string", "contentMediaType": _JSON, "contentSchema": {"type": "object"}}
    event = {
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": {"type": "string"}, "data": data},
        "description": _STREAM,
    }
    content = {_JSON: {"schema": whole}, "text/event-stream": {"schema": event}}
    example = {**_EXAMPLE, "max_tokens": 100}
    _add(spec, _MESSAGES, "create_message", "Answer a conversation", content, example)
    counted = {_JSON: {"schema": to_reference(spec, TokenCount)}}
    _add(spec, _COUNT, "count_message_tokens", "Count a prompt's tokens", counted, _EXAMPLE)


def _add(
    spec: APISpec,
    path: str,
    name: str,
    summary: str,
    content: dict[str, Any],
    example: dict[str, Any],
) -> None:
    asked = ENDPOINTS[path].__name__.replace("Schema", "Request")
    spec.components.schema(asked, schema=ENDPOINTS[path])
    body = {"schema": {"$ref": f"#/components/schemas/{asked}"}, "example": example}
    answer = {"description": "As asked.", "headers": headers.OF_ANSWERS, "content": content}
    operation = {
        "operationId": name,
        "summary": summary,
        "tags": ["Anthropic"],
        "parameters": headers.OF_REQUESTS,
        "requestBody": {"required": True, "content": {_JSON: body}},
        "responses": {"200": answer, **dict.fromkeys(_STATUSES, "MessageError")},
    }
    spec.path(path, operations={"post": operation})
