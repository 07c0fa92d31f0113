"""The content blocks of a message: each checked, and brought into the one form of its kind.

Source: Anthropic's ContentBlockParam. What only Anthropic's own servers can run, read or decrypt is
refused by name; a document that is text is text.
"""

from collections.abc import Callable
from typing import Any, Literal, NoReturn

from marshmallow import ValidationError

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import kind
from tensoria.schemas.message_images import to_image
from tensoria.schemas.tools import MAX_DEPTH, is_deeper
from tensoria.wire.message_blocks import (
    Block,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)

Role = Literal["system", "user", "assistant"]

# Which blocks each role may hold; a thought that is encrypted is left out with notice.
_OF_ROLE: dict[Role, frozenset[str]] = {
    "system": frozenset({"text"}),
    "user": frozenset({"text", "image", "document", "search_result", "tool_result"}),
    "assistant": frozenset({"text", "thinking", "redacted_thinking", "tool_use"}),
}
_OF_RESULT = frozenset({"text", "image", "document", "search_result"})
# Blocks that the API has and no engine here could honour; all the others are mistakes.
_ELSEWHERE = frozenset(
    {
        "bash_code_execution_tool_result",
        "browser_state",
        "code_execution_tool_result",
        "compaction",
        "container_upload",
        "mcp_tool_result",
        "mcp_tool_use",
        "server_tool_use",
        "text_editor_code_execution_tool_result",
        "tool_reference",
        "tool_search_tool_result",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
_NAMES: dict[str, frozenset[str]] = {
    "text": frozenset({"text"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title", "context"}),
    "search_result": frozenset({"source", "title", "content"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
}
# What an answer of Anthropic's own has, and means nothing.
_EMPTY: tuple[Any, ...] = (None, [], {"type": "direct"}, {"enabled": False})


def to_blocks(place: str, role: Role, content: Any) -> list[Block]:
    """Return a message's content as blocks; a string is one, and null or "" is none.

    Every block has its place: one that is left out is an empty text.
    """
    return _each(place, content, _OF_ROLE[role])


def ignored_in_blocks(place: str, content: object) -> set[str]:
    """Name what the blocks of checked content hold and no engine sees; `place` with no indexes."""
    names: set[str] = set()
    for index, block in enumerate(content if isinstance(content, list) else ()):
        if block["type"] == "redacted_thinking":
            names.add(f"{place}[{index}]")
            continue
        known = _NAMES[block["type"]]
        names |= {
            f"messages.content.{name}"
            for name, value in block.items()
            if name != "type" and name not in known and value not in _EMPTY
        }
        if block["type"] == "tool_result":
            names |= ignored_in_blocks(f"{place}[{index}].content", block.get("content"))
    return names


def _each(place: str, content: Any, allowed: frozenset[str]) -> list[Any]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise ValidationError(f"expected a string or an array of blocks, got {kind(content)}.")
    blocks = []
    for index, block in enumerate(content):
        try:
            blocks.append(_block(f"{place}[{index}]", block, allowed))
        except ValidationError as error:
            raise ValidationError({index: error.messages}) from None
    return blocks


def _block(place: str, block: Any, allowed: frozenset[str]) -> Block:
    if not isinstance(block, dict):
        raise ValidationError(f"expected an object, got {kind(block)}.")
    type_ = block.get("type")
    if not isinstance(type_, str) or type_ not in allowed:
        _refuse(place, type_, allowed)
    return _BY_TYPE[type_](place, block)


def _refuse(place: str, type_: object, allowed: frozenset[str]) -> NoReturn:
    if isinstance(type_, str) and type_ in _ELSEWHERE:
        raise UnsupportedParameter(
            f"'{place}' is a block of type '{type_}', which is not supported here; leave it out.",
            param=f"{place}.type",
        )
    raise ValidationError({"type": [f"expected one of {', '.join(sorted(allowed))} here."]})


def _text(_: str, block: dict[str, Any]) -> TextBlock:
    return {"type": "text", "text": _string(block, "text")}


def _image(place: str, block: dict[str, Any]) -> ImageBlock:
    return to_image(place, block)


def _document(place: str, block: dict[str, Any]) -> TextBlock:
    source = block.get("source")
    form = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or form not in ("text", "content"):
        raise UnsupportedParameter(
            f"'{place}.source' is not supported: of documents only plain text can be read here "
            "(a source of type 'text').",
            param=f"{place}.source",
        )
    try:
        text = _string(source, "data") if form == "text" else _joined(place, source)
    except ValidationError as error:
        raise ValidationError({"source": error.messages}) from None
    return _titled(block, ("title", "context"), text)


def _search_result(place: str, block: dict[str, Any]) -> TextBlock:
    return _titled(block, ("title", "source"), _joined(place, block))


def _titled(block: dict[str, Any], names: tuple[str, ...], text: str) -> TextBlock:
    heads = [_string(block, name) for name in names if block.get(name) is not None]
    return {"type": "text", "text": "\n".join(filter(None, [*heads, text]))}


def _joined(place: str, holder: dict[str, Any]) -> str:
    try:
        texts = _each(f"{place}.content", holder.get("content"), frozenset({"text"}))
    except ValidationError as error:
        raise ValidationError({"content": error.messages}) from None
    return "\n".join(block["text"] for block in texts)


def _thinking(_: str, block: dict[str, Any]) -> ThinkingBlock:
    return {"type": "thinking", "thinking": _string(block, "thinking")}


def _left_out(_: str, __: dict[str, Any]) -> ThinkingBlock:
    return {"type": "thinking", "thinking": ""}


def _tool_use(_: str, block: dict[str, Any]) -> ToolUseBlock:
    name, arguments = _string(block, "name"), block.get("input")
    if not name:
        raise ValidationError({"name": ["expected a string that is not empty."]})
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise ValidationError({"input": [f"expected an object, got {kind(arguments)}."]})
    if is_deeper(arguments, MAX_DEPTH):
        raise ValidationError({"input": [f"nested deeper than {MAX_DEPTH} levels."]})
    return {"type": "tool_use", "id": _id(block, "id"), "name": name, "input": arguments}


def _tool_result(place: str, block: dict[str, Any]) -> ToolResultBlock:
    is_error = block.get("is_error")
    if is_error is not None and not isinstance(is_error, bool):
        message = f"expected true or false, got {kind(is_error)}."
        raise ValidationError({"is_error": [message]})
    try:
        content = _each(f"{place}.content", block.get("content"), _OF_RESULT)
    except ValidationError as error:
        raise ValidationError({"content": error.messages}) from None
    return {
        "type": "tool_result",
        "tool_use_id": _id(block, "tool_use_id"),
        "content": content,
        "is_error": bool(is_error),
    }


def _id(block: dict[str, Any], name: str) -> str:
    """Clients cut their history, and some lose ids: the order says the same."""
    return "" if block.get(name) is None else _string(block, name)


def _string(block: dict[str, Any], name: str) -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise ValidationError({name: [f"expected a string, got {kind(value)}."]})
    return value


_BY_TYPE: dict[str, Callable[[str, dict[str, Any]], Block]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "thinking": _thinking,
    "redacted_thinking": _left_out,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
}
