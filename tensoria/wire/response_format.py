"""The form that an answer must have (OpenAI's ResponseFormatJsonSchema and its siblings)."""

from typing import Any, Literal, NotRequired, TypedDict


class JsonSchema(TypedDict):
    """The schema of a `response_format`: compiled once already, so that it is known to be one."""

    name: str
    schema: dict[str, Any]
    description: NotRequired[str]
    strict: NotRequired[bool]


class ResponseFormat(TypedDict):
    """`response_format` of a request; `json_schema` is there with the type of that name."""

    type: Literal["json_object", "json_schema"]
    json_schema: NotRequired[JsonSchema]
