"""The paths, and what can be done at each; an operation's id is the name of its view."""

from collections.abc import Iterable
from typing import Any

from apispec import APISpec

from tensoria.openapi import headers, message_operations
from tensoria.openapi.answers import Shape, to_reference
from tensoria.schemas.endpoints import ENDPOINTS
from tensoria.wire.completions import TextChunk, TextCompletion
from tensoria.wire.errors import Envelope
from tensoria.wire.openai import Chunk, Completion, EmbeddingList, Model, ModelList
from tensoria.wire.responses import Response, ResponseEvent

_STREAM = (
    "Each event's `data` is one chunk, the last one the text `[DONE]`. After 200 a failure is an "
    "event that holds the error's envelope, and nothing follows it. Lines that begin with a colon "
    "are only there to keep the connection alive."
)
_EVENTS = (
    "OpenAI's events of a response, numbered from 0. The last one is response.completed, "
    "response.incomplete or response.failed, and holds the whole response."
)
_LINES = "The same chunks, one a line, without `[DONE]`."
_JSON = "application/json"
# Every request may meet these; what asks the engine may meet the others too.
_ALWAYS = (401, 404, 405, 500)
_OF_ENGINE = (502, 503, 504)
_OF_BODY = (400, 413, 415, 429)
_OBJECT: Shape = {"type": "object"}
_EXAMPLES: dict[str, Any] = {
    "/v1/chat/completions": {
        "messages": [{"role": "user", "content": "What is the capital of France?"}]
    },
    "/v1/completions": {"prompt": "The sky is", "max_tokens": 50},
    "/v1/embeddings": {"input": ["The sky is blue."], "model": "all-minilm"},
    "/v1/responses": {"input": "What is the capital of France?"},
}


def add(spec: APISpec, errors: Iterable[int]) -> None:
    """Add every path to the document; `errors` are the statuses that have a response there."""
    known = frozenset(errors)
    _add_answering(spec, known)
    message_operations.add(spec)
    _add_models(spec, known)
    _add_health(spec, known)


def _add_answering(spec: APISpec, known: frozenset[int]) -> None:
    whole = (
        ("/v1/chat/completions", "create_chat_completion", "Answer a chat", Completion, Chunk),
        ("/v1/completions", "create_completion", "Continue a text", TextCompletion, TextChunk),
        ("/v1/embeddings", "create_embedding", "Embed texts", EmbeddingList, None),
        ("/v1/responses", "create_response", "Answer items with items", Response, ResponseEvent),
    )
    for path, name, summary, answer, chunk in whole:
        asked = ENDPOINTS[path].__name__.replace("Schema", "Request")
        spec.components.schema(asked, schema=ENDPOINTS[path])
        body = {"schema": {"$ref": f"#/components/schemas/{asked}"}, "example": _EXAMPLES[path]}
        operation = {
            "operationId": name,
            "summary": summary,
            "tags": ["Answers"],
            "parameters": headers.OF_REQUESTS,
            "requestBody": {"required": True, "content": {_JSON: body}},
            "responses": {
                "200": {
                    "description": "The answer, whole or streamed." if chunk else "The vectors.",
                    "headers": headers.OF_ANSWERS,
                    "content": _content(spec, answer, chunk),
                },
                **_errors(known, _ALWAYS + _OF_BODY + _OF_ENGINE),
            },
        }
        spec.path(path, operations={"post": operation})


def _content(spec: APISpec, answer: type, chunk: type | None) -> dict[str, Any]:
    explained = {"title": "With X-Tensoria-Explain", "type": "object"}
    whole = {"schema": {"anyOf": [to_reference(spec, answer), explained]}}
    if chunk is None:
        return {_JSON: whole}
    if chunk is ResponseEvent:
        return _content_of_events(spec, whole)
    data = {"anyOf": [to_reference(spec, chunk), to_reference(spec, Envelope)]}
    # OpenAPI 3.1 has no word for the events of a stream; 3.2 describes one of them so.
    text = {"type": "string", "contentMediaType": _JSON, "contentSchema": data}
    either = {"anyOf": [text, {"const": "[DONE]"}]}
    event = {"type": "object", "required": ["data"], "properties": {"data": either}}
    return {
        _JSON: whole,
        "text/event-stream": {"schema": {**event, "description": _STREAM}},
        "application/x-ndjson": {"schema": {**data, "description": _LINES}},
    }


def _content_of_events(spec: APISpec, whole: dict[str, Any]) -> dict[str, Any]:
    data = to_reference(spec, ResponseEvent)
    text = {"type": "string", "contentMediaType": _JSON, "contentSchema": data}
    event = {
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": {"type": "string"}, "data": text},
        "description": _EVENTS,
    }
    return {
        _JSON: whole,
        "text/event-stream": {"schema": event},
        "application/x-ndjson": {"schema": {**data, "description": "The same events, one a line."}},
    }


def _add_models(spec: APISpec, known: frozenset[int]) -> None:
    models = to_reference(spec, ModelList)
    _add_get(spec, known, "/v1/models", "list_models", "List what is installed", models, _OF_ENGINE)
    id_ = {
        "name": "model_id",
        "in": "path",
        "required": True,
        "description": "It may hold slashes and a tag.",
        "schema": {"type": "string", "minLength": 1},
    }
    model = to_reference(spec, Model)
    _add_get(
        spec, known, "/v1/models/{model_id}", "retrieve_model", "Tell of one model", model,
        _OF_ENGINE, parameters=[id_],
    )  # fmt: skip
    asked = {
        "name": "model",
        "in": "query",
        "description": "Absent: DEFAULT_MODEL.",
        "schema": {"type": "string"},
    }
    _add_get(
        spec, known, "/v1/compat", "show_compatibility",
        "Tell what becomes of every field, at the engine and the model in use",
        _OBJECT, (400, *_OF_ENGINE), parameters=[asked],
    )  # fmt: skip


def _add_health(spec: APISpec, known: frozenset[int]) -> None:
    up: Shape = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": "ok"}},
    }
    ready: Shape = {
        "type": "object",
        "required": ["status", "engine", "warnings"],
        "properties": {
            "status": {"const": "ready"},
            "engine": _OBJECT,
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
    }
    _add_get(spec, known, "/health", "health", "Tell that the service is up; needs no key", up)
    _add_get(spec, known, "/ready", "ready", "Tell whether the engine answers", ready, _OF_ENGINE)
    _add_get(spec, known, "/", "index", "Name the service and its parts", _OBJECT)


def _add_get(
    spec: APISpec,
    known: frozenset[int],
    path: str,
    name: str,
    summary: str,
    schema: Shape,
    more: tuple[int, ...] = (),
    **members: Any,
) -> None:
    answer = {"description": "As asked.", "content": {_JSON: {"schema": schema}}}
    operation = {
        "operationId": name,
        "summary": summary,
        "tags": ["Models" if path.startswith("/v1/") else "Service"],
        "responses": {"200": answer, **_errors(known, _ALWAYS + more)},
        **members,
    }
    spec.path(path, operations={"get": operation})


def _errors(known: frozenset[int], statuses: Iterable[int]) -> dict[str, str]:
    return {str(status): f"Error{status}" for status in sorted(statuses) if status in known}
