"""`tools` and `tool_choice` of a message, brought into the house's form.

Source: Anthropic's ToolUnionParam and ToolChoiceParam.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson
from marshmallow import ValidationError, fields, missing

from tensoria.errors import InvalidRequest
from tensoria.schemas.base import kind
from tensoria.schemas.tools import MAX_BYTES, MAX_DEPTH, MAX_TOOLS, is_deeper
from tensoria.wire.openai import Tool

# Twice as long as OpenAI's: a server's name and its tool's stand in one.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_KEPT = frozenset({"type", "name", "description", "input_schema"})
_MODES = ("any", "auto", "none", "tool")
_KEPT_OF_CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
# Values that say what is so anyway.
_DEFAULTS: tuple[Any, ...] = (None, False, [], ["direct"])


class MessageTools(fields.Field[list[Tool]]):
    """Definitions of tools; those that run on Anthropic's servers, or are known to their models
    alone, are left out (`ignored_in_tools` names them).

    What comes out is the house's. An empty list means absent.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError(f"expected an array of tools, got {kind(value)}.")
        if len(value) > MAX_TOOLS:
            raise ValidationError(f"expected at most {MAX_TOOLS} tools, got {len(value)}.")
        for index, tool in enumerate(value):
            if not isinstance(tool, dict):
                raise ValidationError({index: [f"expected an object, got {kind(tool)}."]})
        if is_deeper(value, MAX_DEPTH):
            raise ValidationError(f"the definitions are nested deeper than {MAX_DEPTH} levels.")
        if len(orjson.dumps(value)) > MAX_BYTES:
            raise ValidationError(f"the definitions are longer than {MAX_BYTES} bytes.")
        tools = [_tool(index, tool) for index, tool in enumerate(value) if _is_own(tool)]
        return tools or missing


class MessageToolChoice(fields.Field[dict[str, Any]]):
    """Who decides whether a tool is called; what it means beside the tools says `settle`."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        type_ = value.get("type")
        if type_ not in _MODES:
            raise ValidationError({"type": [f"expected one of {', '.join(_MODES)}."]})
        choice = {"type": type_}
        if type_ == "tool":
            name = value.get("name")
            if not isinstance(name, str):
                raise ValidationError({"name": [f"expected a string, got {kind(name)}."]})
            choice["name"] = name
        single = value.get("disable_parallel_tool_use")
        if single is not None and not isinstance(single, bool):
            message = f"expected true or false, got {kind(single)}."
            raise ValidationError({"disable_parallel_tool_use": [message]})
        return choice | ({"disable_parallel_tool_use": True} if single else {})


def settle(request: dict[str, Any]) -> None:
    """Let `tool_choice` change the tools, so that what is left of it is a call that is forced.

    Raises InvalidRequest for a choice that cannot be made.
    """
    choice = request.pop("tool_choice", {"type": "auto"})
    tools: list[Tool] = request.get("tools", [])
    single = choice.pop("disable_parallel_tool_use", False)
    if choice["type"] == "tool":
        if choice["name"] not in {tool["function"]["name"] for tool in tools}:
            raise InvalidRequest(
                "Invalid value for 'tool_choice.name': no tool of this name is in 'tools'.",
                param="tool_choice.name",
            )
    elif choice["type"] == "any" and not tools:
        raise InvalidRequest(
            "Invalid value for 'tool_choice': 'any' needs 'tools' with one that can be called.",
            param="tool_choice",
        )
    if choice["type"] == "none":
        request.pop("tools", None)
        return
    if tools and single:
        request["parallel_tool_calls"] = False
    if choice["type"] != "auto":
        request["tool_choice"] = choice


def ignored_in_tools(tools: Iterable[dict[str, Any]]) -> set[str]:
    """Name the tools of a checked request that are left out, and members that have no effect."""
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if not _is_own(tool):
            names.add(f"tools[{index}]")
            continue
        names |= {
            # It changes no answer, and the field of this name says so.
            name if name == "cache_control" else f"tools.{name}"
            for name, value in tool.items()
            if name not in _KEPT and value not in _DEFAULTS
        }
    return names


def ignored_in_choice(choice: dict[str, Any]) -> set[str]:
    """Name the members of a checked `tool_choice` that have no effect."""
    return {
        f"tool_choice.{name}"
        for name, value in choice.items()
        if name not in _KEPT_OF_CHOICE and value is not None
    }


def _is_own(tool: dict[str, Any]) -> bool:
    return tool.get("type") in (None, "custom")


def _tool(index: int, tool: dict[str, Any]) -> Tool:
    try:
        return _checked(tool)
    except ValidationError as error:
        raise ValidationError({index: error.messages}) from None


def _checked(tool: dict[str, Any]) -> Tool:
    name, schema, description = (
        tool.get("name"),
        tool.get("input_schema"),
        tool.get("description"),
    )
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValidationError({"name": ["expected 1 to 128 letters, digits, '_', '-' or '.'."]})
    if schema is None:
        schema = {"type": "object", "properties": {}}
    if not isinstance(schema, dict):
        raise ValidationError({"input_schema": [f"expected an object, got {kind(schema)}."]})
    checked: Tool = {"type": "function", "function": {"name": name, "parameters": schema}}
    if description is not None:
        if not isinstance(description, str):
            raise ValidationError({"description": [f"expected a string, got {kind(description)}."]})
        checked["function"]["description"] = description
    return checked
