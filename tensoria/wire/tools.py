"""Tools in OpenAI's vocabulary: definitions, whole calls, and calls in pieces."""

from typing import Any, Literal, NotRequired, TypedDict


class FunctionCall(TypedDict):
    """A call's function; `arguments` is a JSON object as a string."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    """One call of an assistant's message."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class FunctionDefinition(TypedDict):
    """A function that the model may call; `parameters` is a JSON schema of its arguments."""

    name: str
    parameters: dict[str, Any]
    description: NotRequired[str]


class Tool(TypedDict):
    """One tool of a request after validation."""

    type: Literal["function"]
    function: FunctionDefinition


class FunctionCallDelta(TypedDict, total=False):
    """What a chunk adds to a call's function."""

    name: str
    arguments: str


class ToolCallDelta(TypedDict):
    """What a chunk adds to the call of this index; id, type and name come with its first chunk."""

    index: int
    id: NotRequired[str]
    type: NotRequired[Literal["function"]]
    function: FunctionCallDelta
