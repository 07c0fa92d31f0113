"""`tools` and `tool_choice` of a response: those of a chat, with one level less.

Source: OpenAI's FunctionTool and ToolChoiceParam.
"""

from collections.abc import Iterable
from typing import Any

from marshmallow import ValidationError, fields

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.tools import ToolChoice, Tools, ignored_in_tools
from tensoria.wire.tools import Tool

# The levels that a chat has and a response has not.
_LEVELS = frozenset({"allowed_tools", "function", "json_schema"})
# Choices of tools that cannot run here; an unknown one is a wrong value.
_UNSERVED = frozenset(
    {
        *("apply_patch", "code_interpreter", "computer", "computer_use", "computer_use_preview"),
        *("custom", "file_search", "image_generation", "mcp", "programmatic_tool_calling", "shell"),
        *("web_search_preview", "web_search_preview_2025_03_11"),
    }
)


def of_chat(field: fields.Field[Any], value: Any) -> Any:
    """Check a value by a chat's field, and name the place of an error as a response has it."""
    try:
        return field.deserialize(value)
    except ValidationError as error:
        raise ValidationError(_flat(error.messages)) from None


class ResponseTools(fields.Field[list[Tool]]):
    """Definitions of functions; other kinds are left out. A chat's form is what comes out."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return of_chat(Tools(), _nested(value) if isinstance(value, list) else value)


class ResponseToolChoice(fields.Field[Any]):
    """Who decides whether a tool is called; a chat's form is what comes out.

    Of several allowed tools those that cannot run are left out, as from `tools`.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if isinstance(value, dict):
            type_ = value.get("type")
            if isinstance(type_, str) and type_ in _UNSERVED:
                raise UnsupportedParameter(
                    f"'tool_choice' of type '{type_}' is not supported: only functions can be "
                    "called.",
                    param="tool_choice.type",
                )
            value = _nested_choice(value)
        return of_chat(ToolChoice(), value)


def ignored_in_response_tools(tools: Iterable[dict[str, Any]]) -> set[str]:
    """Name the tools of a checked request that are left out, and members that have no effect."""
    names = ignored_in_tools(_nested([*tools]))
    return {name.replace("tools.function.", "tools.") for name in names}


def ignored_in_choice(choice: Any) -> set[str]:
    """Name the allowed tools of a checked request that cannot run."""
    if not isinstance(choice, dict) or choice["type"] != "allowed_tools":
        return set()
    return {
        f"tool_choice.tools[{index}]"
        for index, tool in enumerate(choice["tools"])
        if not _is_function(tool)
    }


def _nested(tools: list[Any]) -> list[Any]:
    """Return functions as a chat has them, and everything else as it is."""
    return [
        {
            "type": "function",
            "function": {name: value for name, value in tool.items() if name != "type"},
        }
        if _is_function(tool)
        else tool
        for tool in tools
    ]


def _nested_choice(choice: dict[str, Any]) -> dict[str, Any]:
    if choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice.get("name")}}
    if choice.get("type") != "allowed_tools":
        return choice
    tools = choice.get("tools")
    if isinstance(tools, list):
        functions = [tool for tool in tools if _is_function(tool)]
        # Where none is left, the chat says what it expected.
        tools = _nested(functions or tools)
    return {
        "type": "allowed_tools",
        "allowed_tools": {"mode": choice.get("mode"), "tools": tools},
    }


def _is_function(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function"


def _flat(messages: Any) -> Any:
    """Return an error's messages without the levels that are a chat's alone."""
    if not isinstance(messages, dict):
        return messages
    # One error is told at a time.
    key, below = next(iter(messages.items()))
    return _flat(below) if key in _LEVELS else {key: _flat(below)}
