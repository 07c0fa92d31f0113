"""`tools`, `tool_choice` and what they mean together.

Source: OpenAI's ChatCompletionTool and ChatCompletionToolChoiceOption.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson
from marshmallow import ValidationError, fields, missing

from tensoria.errors import InvalidRequest, UnsupportedParameter
from tensoria.schemas.base import kind
from tensoria.wire.openai import ChatRequest, Tool
from tensoria.wire.tools import FunctionDefinition

# OpenAI allows 128; agents with several MCP servers send more.
MAX_TOOLS = 512
MAX_BYTES = 1024 * 1024
# Levels of JSON, two for each level of a schema. orjson writes no more than 254.
MAX_DEPTH = 64
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MODES = ("none", "auto", "required")
_KEPT_OF_TOOL = frozenset({"type", "function"})
_KEPT_OF_FUNCTION = frozenset({"name", "description", "parameters"})


class Tools(fields.Field[list[Tool]]):
    """Definitions of functions; kinds of tools that cannot run here are left out.

    Agents mix kinds: one that cannot run must not reject the turn (`ignored_in_tools` names it). An
    empty list means absent.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError(f"expected an array of tools, got {kind(value)}.")
        if len(value) > MAX_TOOLS:
            raise ValidationError(f"expected at most {MAX_TOOLS} tools, got {len(value)}.")
        _check_types(value)
        if is_deeper(value, MAX_DEPTH):
            raise ValidationError(f"the definitions are nested deeper than {MAX_DEPTH} levels.")
        if len(orjson.dumps(value)) > MAX_BYTES:
            raise ValidationError(f"the definitions are longer than {MAX_BYTES} bytes.")
        functions = (
            (index, tool) for index, tool in enumerate(value) if tool["type"] == "function"
        )
        return [_tool(index, tool) for index, tool in functions] or missing


class ToolChoice(fields.Field[Any]):
    """Who decides whether a tool is called: a mode, a named function, or some allowed ones.

    What comes out has the members that OpenAI documents and no others; whether the named functions
    are offered is the second look, `settle`.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if isinstance(value, str):
            if value not in _MODES:
                raise ValidationError(f"expected one of {', '.join(_MODES)}, or an object.")
            return value
        if not isinstance(value, dict):
            raise ValidationError(f"expected a string or an object, got {kind(value)}.")
        type_ = value.get("type")
        if type_ == "function":
            return _named(value)
        if type_ == "allowed_tools":
            return _allowed(value)
        if type_ == "custom":
            raise UnsupportedParameter(
                "'tool_choice' of type 'custom' is not supported: only functions can be called.",
                param="tool_choice.type",
            )
        raise ValidationError({"type": ["expected one of allowed_tools, function."]})


def settle(request: ChatRequest) -> None:
    """Let `tool_choice` change the tools, so that what is left of it is a call that is forced.

    `none` takes the tools away, `auto` is what an engine does by itself, `allowed_tools` leaves
    those it names. Afterwards `tool_choice` is absent, "required", or names an offered function,
    and there are tools beside it. Raises InvalidRequest for a choice that cannot be made.
    """
    choice = request.pop("tool_choice", "auto")
    tools = request.get("tools", [])
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        allowed = choice["allowed_tools"]
        names = [tool["function"]["name"] for tool in allowed["tools"]]
        _check_offered(names, tools, "tool_choice.allowed_tools.tools")
        request["tools"] = tools = [tool for tool in tools if tool["function"]["name"] in names]
        choice = allowed["mode"]
    elif isinstance(choice, dict):
        name = choice["function"]["name"]
        _check_offered([name], tools, "tool_choice.function.name")
    if choice == "required" and not tools:
        raise InvalidRequest(
            "Invalid value for 'tool_choice': 'required' needs 'tools' with a function.",
            param="tool_choice",
        )
    if choice == "none" or not tools:
        request.pop("tools", None)
        request.pop("parallel_tool_calls", None)
    elif choice != "auto":
        request["tool_choice"] = choice


def ignored_in_tools(tools: Iterable[dict[str, Any]]) -> set[str]:
    """Name the tools of a checked request that are left out, and members that have no effect."""
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if tool["type"] != "function":
            names.add(f"tools[{index}]")
            continue
        if tool.keys() != _KEPT_OF_TOOL:
            names |= _told("tools", tool, _KEPT_OF_TOOL)
        if not tool["function"].keys() <= _KEPT_OF_FUNCTION:
            names |= _told("tools.function", tool["function"], _KEPT_OF_FUNCTION)
    return names


def is_deeper(value: object, levels: int) -> bool:
    """Tell whether JSON is nested deeper than so many levels; level by level, without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    while level and levels:
        levels -= 1
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def _told(place: str, found: dict[str, Any], kept: frozenset[str]) -> set[str]:
    """Null means absent, and `strict: false` is OpenAI's default."""
    return {
        f"{place}.{key}"
        for key, value in found.items()
        if key not in kept and value is not None and (key, value) != ("strict", False)
    }


def _check_types(tools: list[Any]) -> None:
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise ValidationError({index: [f"expected an object, got {kind(tool)}."]})
        if not isinstance(tool.get("type"), str):
            raise ValidationError({index: {"type": ["expected a string, such as 'function'."]}})


def _tool(index: int, tool: dict[str, Any]) -> Tool:
    function = tool.get("function")
    if not isinstance(function, dict):
        message = f"expected an object, got {kind(function)}."
        raise ValidationError({index: {"function": [message]}})
    try:
        return {"type": "function", "function": _function(function)}
    except ValidationError as error:
        raise ValidationError({index: {"function": error.messages}}) from None


def _function(function: dict[str, Any]) -> FunctionDefinition:
    parameters = function.get("parameters")
    if parameters is None:
        parameters = {"type": "object", "properties": {}}
    if not isinstance(parameters, dict):
        raise ValidationError({"parameters": [f"expected an object, got {kind(parameters)}."]})
    checked: FunctionDefinition = {
        "name": _name(function.get("name")),
        "parameters": parameters,
    }
    description = function.get("description")
    if description is not None:
        if not isinstance(description, str):
            raise ValidationError({"description": [f"expected a string, got {kind(description)}."]})
        checked["description"] = description
    return checked


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValidationError({"name": ["expected 1 to 64 letters, digits, '_', '-' or '.'."]})
    return name


def _named(choice: dict[str, Any]) -> dict[str, Any]:
    function = choice.get("function")
    if not isinstance(function, dict):
        raise ValidationError({"function": [f"expected an object, got {kind(function)}."]})
    try:
        name = _name(function.get("name"))
    except ValidationError as error:
        raise ValidationError({"function": error.messages}) from None
    return {"type": "function", "function": {"name": name}}


def _allowed(choice: dict[str, Any]) -> dict[str, Any]:
    allowed = choice.get("allowed_tools")
    if not isinstance(allowed, dict):
        raise ValidationError({"allowed_tools": [f"expected an object, got {kind(allowed)}."]})
    mode, tools = allowed.get("mode"), allowed.get("tools")
    if mode not in ("auto", "required"):
        raise ValidationError({"allowed_tools": {"mode": ["expected 'auto' or 'required'."]}})
    if not isinstance(tools, list) or not tools:
        raise ValidationError({"allowed_tools": {"tools": ["expected an array with a tool."]}})
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict) or tool.get("type") != "function":
            message = ["expected an object of type 'function'."]
            raise ValidationError({"allowed_tools": {"tools": {index: message}}})
    named = []
    for index, tool in enumerate(tools):
        try:
            named.append(_named(tool))
        except ValidationError as error:
            raise ValidationError({"allowed_tools": {"tools": {index: error.messages}}}) from None
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}


def _check_offered(names: list[str], tools: list[Tool], param: str) -> None:
    offered = {tool["function"]["name"] for tool in tools}
    for name in names:
        if name not in offered:
            raise InvalidRequest(
                f"Invalid value for '{param}': no function of this name is in 'tools'.",
                param=param,
            )
