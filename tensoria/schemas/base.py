"""Strict fields, and the one way from a parsed body to a checked request."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from marshmallow import Schema, ValidationError, fields, missing

from tensoria.errors import InvalidRequest

Request = TypeVar("Request")

# Of a model, in characters.
MAX_NAME = 1000


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Request]):
    """A checked request, and the names in it that mean nothing here and have to be told."""

    request: Request
    ignored: tuple[str, ...]


def load(schema: type[Schema], body: object) -> Loaded[Any]:
    """Check a parsed body, or raise InvalidRequest naming the field.

    Null means absent. Names that OpenAI does not have are no error: clients replay what other
    engines gave them, so these are listed in `ignored`. What becomes of a field at the engine in
    use is the second look: `support.narrow`.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
    present = {name: value for name, value in body.items() if value is not None}
    known = _known(schema)
    for name in known.required:
        # First of all: a body of another endpoint has other things wrong as well.
        if name not in present:
            message = f"Invalid value for '{name}': this field is required."
            raise InvalidRequest(message, param=name)
    unknown = present.keys() - known.names
    if unknown:
        present = {name: value for name, value in present.items() if name not in unknown}
    try:
        request = _restricted(schema, frozenset(present)).load(present)
    except ValidationError as error:
        raise _first_error(error) from None
    return Loaded(request, tuple(sorted(unknown)))


@dataclass(frozen=True, slots=True)
class _Known:
    names: frozenset[str]
    required: frozenset[str]


@lru_cache(maxsize=32)
def _known(schema: type[Schema]) -> _Known:
    declared = schema().fields
    return _Known(
        names=frozenset(declared),
        required=frozenset(name for name, field in declared.items() if field.required),
    )


@lru_cache(maxsize=256)
def _restricted(schema: type[Schema], names: frozenset[str]) -> Schema:
    """Return a schema of just these fields: marshmallow visits every field of a schema, sent or
    not, and a request sends six of forty."""
    return schema(only=names)


def _first_error(error: ValidationError) -> InvalidRequest:
    path: str = ""
    messages: Any = error.normalized_messages()  # type: ignore[no-untyped-call]
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        path += f"[{key}]" if isinstance(key, int) else f".{key}" if path else str(key)
    message = messages[0] if isinstance(messages, list) else str(messages)
    return InvalidRequest(f"Invalid value for '{path}': {message}", param=path)


class Text(fields.Field[str]):
    """A JSON string."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(f"expected a string, got {kind(value)}.")
        return value


class ModelName(Text):
    """The name of a model; the answer repeats it in each of its chunks, so it may not be endless.

    Ollama's own end after 591 characters (types/model/name.go).
    """

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, *args, **kwargs)
        if len(name) > MAX_NAME:
            raise ValidationError(f"expected at most {MAX_NAME} characters, got {len(name)}.")
        return name


class Flag(fields.Field[bool]):
    """A JSON boolean; marshmallow's own would take "off" and 1."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(f"expected true or false, got {kind(value)}.")
        return value


class Number(fields.Field[float]):
    """A JSON number within bounds; marshmallow's own would take "1_0" and true."""

    def __init__(self, *, minimum: float, maximum: float, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError(f"expected a number, got {kind(value)}.")
        if not self.minimum <= value <= self.maximum:
            raise ValidationError(f"{value} is not between {self.minimum} and {self.maximum}.")
        return value


class Whole(fields.Field[int]):
    """A JSON number without a fraction (5 and 5.0 are one number in JSON Schema)."""

    def __init__(self, *, minimum: int, maximum: int = 2**63 - 1, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError(f"expected a whole number, got {kind(value)}.")
        if not self.minimum <= value <= self.maximum:
            raise ValidationError(f"{value} is not between {self.minimum} and {self.maximum}.")
        return value


class Taken(fields.Field[Any]):
    """A value of any type; its default values say nothing and pass without a word.

    Clients send defaults all the time (`n: 1`, `tools: []`).
    """

    def __init__(self, *defaults: Any, **options: Any) -> None:
        super().__init__(**options)
        self.defaults = defaults

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        # `1 == True` in Python, and not in JSON; 1 and 1.0 are one number in both.
        if any(value == default and kind(value) == kind(default) for default in self.defaults):
            return missing
        return value


def kind(value: object) -> str:
    """Return JSON's word for a value's type."""
    names = {str: "a string", bool: "a boolean", list: "an array", dict: "an object"}
    return names.get(type(value), "a number" if value is not None else "null")
