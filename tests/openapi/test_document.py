"""The document as a whole: valid, complete, and true to the app."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from tensoria.errors import ClientClosed, TensoriaError
from tensoria.schemas.endpoints import ENDPOINTS
from tensoria.schemas.support import table

# The pages about the API are not part of it, and Prometheus has a format of its own.
APART = {"/openapi.json", "/docs", "/redoc", "/docs/assets/{name}", "/metrics"}

Document = dict[str, Any]


def test_document_is_valid_openapi_3_1(document: Document) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"
    OpenAPIV31SpecValidator(document).validate()


def test_every_path_of_the_app_is_in_it_under_its_views_name(
    document: Document, make_app: Callable[..., Flask]
) -> None:
    served = {
        (rule.rule.replace("<path:", "{").replace("<", "{").replace(">", "}"), method.lower()): (
            rule.endpoint.rpartition(".")[2]
        )
        for rule in make_app().url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    told = {
        (path, method): operation["operationId"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }

    assert {place: name for place, name in served.items() if place[0] not in APART} == told


@pytest.mark.parametrize("path", ENDPOINTS)
def test_every_field_is_there_with_what_becomes_of_it(document: Document, path: str) -> None:
    name = ENDPOINTS[path].__name__.replace("Schema", "Request")
    told = document["components"]["schemas"][name]["properties"]
    fields = table(ENDPOINTS[path])

    assert told.keys() == fields.keys()
    for field, support in fields.items():
        assert told[field]["x-tensoria-support"] == {
            "ollama": support.ollama,
            "llamacpp": support.llamacpp,
            "openai": support.openai,
        }
        assert support.note in told[field]["description"]


def _every_error(error: type[TensoriaError]) -> list[type[TensoriaError]]:
    below = [each for each in error.__subclasses__() if each.__module__ == error.__module__]
    return [error, *(found for each in below for found in _every_error(each))]


@pytest.mark.parametrize("error", _every_error(TensoriaError))
def test_every_error_is_told_with_its_code(document: Document, error: type[TensoriaError]) -> None:
    responses = document["components"]["responses"]
    if error is ClientClosed:
        assert "Error499" not in responses
        return
    response = responses[f"Error{error.status}"]

    assert f"`{error.code}`: " in response["description"]
    assert response["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Envelope"
    }
    assert error.headers.keys() <= response.get("headers", {}).keys()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_streams_are_told_in_both_forms(document: Document, path: str) -> None:
    content = document["paths"][path]["post"]["responses"]["200"]["content"]

    assert content.keys() == {"application/json", "text/event-stream", "application/x-ndjson"}
    assert "[DONE]" in content["text/event-stream"]["schema"]["description"]


def test_either_header_carries_the_key_and_none_is_needed_here(document: Document) -> None:
    assert document["security"] == [{}, {"Bearer": []}, {"X-API-Key": []}]
    assert document["components"]["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
