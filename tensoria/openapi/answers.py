"""What is answered, as JSON Schema, from the shapes on the wire."""

import types
from inspect import getdoc
from typing import (
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from apispec import APISpec

Shape = dict[str, Any]

_PLAIN: dict[Any, Shape] = {
    Any: {},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
}


def to_reference(spec: APISpec, shape: type) -> Shape:
    """Return a reference to a TypedDict, registered with those that it holds."""
    name = shape.__name__
    if name not in spec.components.schemas:
        hints = get_type_hints(shape, include_extras=True)
        document: Shape = {
            "type": "object",
            "description": getdoc(shape) or "",
            "properties": {key: to_schema(spec, hint) for key, hint in hints.items()},
        }
        if required := sorted(shape.__required_keys__):  # type: ignore[attr-defined]
            document["required"] = required
        spec.components.schema(name, document)
    return {"$ref": f"#/components/schemas/{name}"}


def to_schema(spec: APISpec, hint: Any) -> Shape:
    """Return a type of a wire shape as JSON Schema; TypeError for one that no shape has yet."""
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if is_typeddict(hint):
        return to_reference(spec, hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is NotRequired:
        return to_schema(spec, arguments[0])
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [to_schema(spec, each) for each in arguments]}
    if origin is list:
        return {"type": "array", "items": to_schema(spec, arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": to_schema(spec, arguments[1])}
    raise TypeError(f"no schema is known of {hint!r}")
