"""Shapes of the wire as JSON Schema."""

from typing import Any, Literal, NotRequired, TypedDict

import pytest
from apispec import APISpec

from tensoria.openapi.answers import to_reference, to_schema


class Inner(TypedDict, total=False):
    """Held by the other."""

    text: str


class Outer(TypedDict):
    """One shape.

    And more of it.
    """

    number: int
    maybe: str | None
    kind: Literal["a", "b"]
    parts: NotRequired[list[Inner]]
    by_name: dict[str, float]
    anything: Any
    on: bool


@pytest.fixture
def spec() -> APISpec:
    return APISpec(title="t", version="1", openapi_version="3.1.0")


def test_a_shape_becomes_a_component_and_so_do_those_it_holds(spec: APISpec) -> None:
    assert to_reference(spec, Outer) == {"$ref": "#/components/schemas/Outer"}
    assert spec.components.schemas == {
        "Outer": {
            "type": "object",
            "description": "One shape.\n\nAnd more of it.",
            "properties": {
                "number": {"type": "integer"},
                "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "kind": {"enum": ["a", "b"]},
                "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
                "by_name": {"type": "object", "additionalProperties": {"type": "number"}},
                "anything": {},
                "on": {"type": "boolean"},
            },
            "required": ["anything", "by_name", "kind", "maybe", "number", "on"],
        },
        "Inner": {
            "type": "object",
            "description": "Held by the other.",
            "properties": {"text": {"type": "string"}},
        },
    }


def test_a_type_that_no_shape_has_yet_is_an_error(spec: APISpec) -> None:
    with pytest.raises(TypeError, match="bytes"):
        to_schema(spec, bytes)
