"""The tools that a request offers, and which calls fit them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from tensoria.translate.tools import CallIds
from tensoria.wire.openai import Tool, ToolCallDelta


class Call(NamedTuple):
    """A call that a model wrote as text; `arguments` is a compact JSON object."""

    name: str
    arguments: str


class Offered:
    """Names of functions, and the schemas of their arguments."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._parameters = {
            tool["function"]["name"]: tool["function"]["parameters"] for tool in tools
        }
        self.names = tuple(self._parameters)

    def call(self, name: object, arguments: object) -> Call | None:
        """Return the call of an offered function whose arguments fit, else None.

        `arguments` is a value as parsed from JSON; some models write OpenAI's string.
        """
        if isinstance(arguments, str):
            arguments = parsed(arguments)
        if not isinstance(name, str) or name not in self._parameters:
            return None
        if not isinstance(arguments, dict) or not fits(arguments, self._parameters[name]):
            return None
        try:
            return Call(name, orjson.dumps(arguments).decode())
        except orjson.JSONEncodeError:  # Nested deeper than orjson writes.
            return None

    def typed(self, name: str, texts: dict[str, str]) -> dict[str, Any]:
        """Return arguments that came as plain texts with the types that their schema wants."""
        properties = _properties(self._parameters[name])
        return {key: _typed(text, properties.get(key)) for key, text in texts.items()}


def fits(arguments: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Tell whether all that is required is there, and each property is of its type.

    This is a rough look at the first level: it keeps text that is no call from becoming one. What
    a tool makes of its arguments stays the client's business, as with any call. A name that is
    required and nowhere described does not count: a grammar has no place for it.
    """
    required = parameters.get("required")
    properties = _properties(parameters)
    if isinstance(required, list) and any(
        isinstance(key, str) and key in (properties or required) and key not in arguments
        for key in required
    ):
        return False
    return all(_is_typed(value, properties.get(key)) for key, value in arguments.items())


def parsed(text: str) -> Any:
    """Return the value of JSON, or None for text that is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def to_deltas(calls: Iterable[Call], answer: str) -> list[ToolCallDelta]:
    """Return whole calls as deltas, with ids made of the answer's."""
    ids = CallIds(answer)
    return [
        {
            "index": index,
            "id": ids.take(index, None),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(calls)
    ]


def _properties(parameters: dict[str, Any]) -> dict[str, Any]:
    properties = parameters.get("properties")
    return properties if isinstance(properties, dict) else {}


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _types(schema: object) -> list[str]:
    """Return the type names that a property's schema allows; none of them means any."""
    named = schema.get("type") if isinstance(schema, dict) else None
    allowed = named if isinstance(named, list) else [named]
    return [name for name in allowed if isinstance(name, str) and name in _TYPES]


def _is_typed(value: object, schema: object) -> bool:
    types = _types(schema)
    return not types or any(_is_a(value, name) for name in types)


def _is_a(value: object, name: str) -> bool:
    """JSON's true is no number, and 5.0 is an integer."""
    if isinstance(value, bool) and name != "boolean":
        return False
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _typed(text: str, schema: object) -> Any:
    """A text for a property that takes strings is one, even where it reads like a number."""
    if "string" in _types(schema):
        return text
    value = parsed(text)
    return text if value is None and text.strip() != "null" else value
