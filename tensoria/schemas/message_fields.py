"""The fields of a message that are Anthropic's own: `system`, `thinking`, `output_config` …"""

from collections.abc import Callable
from typing import Any

from marshmallow import ValidationError, fields, missing

from tensoria.schemas.base import kind
from tensoria.schemas.message_blocks import ignored_in_blocks, to_blocks
from tensoria.schemas.message_images import check_number
from tensoria.schemas.response_format import NAME, wrong_at
from tensoria.translate.json_schema import to_checker
from tensoria.translate.reasoning import is_unheard
from tensoria.translate.schema_parts import BadSchema
from tensoria.translate.traits import Traits
from tensoria.wire.messages import MessageMetadata, MessageTurn, OutputConfig, ThinkingConfig
from tensoria.wire.response_format import JsonSchema

ROLES = ("assistant", "system", "user")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
THINKING = ("enabled", "disabled", "adaptive", "between_tools")
DISPLAYS = ("summarized", "omitted")
_KEPT = {
    "thinking": ("type", "display"),
    "output_config": ("effort", "format"),
    "output_config.format": ("type", "schema"),
    "output_format": ("type", "schema"),
    "metadata": ("user_id",),
}


class Turns(fields.Field[list[MessageTurn]]):
    """A list of messages; the content of each becomes blocks."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[MessageTurn]:
        if not isinstance(value, list):
            raise ValidationError(f"expected an array of messages, got {kind(value)}.")
        if not value:
            raise ValidationError("expected at least one message.")
        turns = []
        for index, message in enumerate(value):
            try:
                turns.append(_turn(index, message))
            except ValidationError as error:
                raise ValidationError({index: error.messages}) from None
        check_number(turns)
        return turns


class System(fields.Field[str]):
    """`system`: a string, or blocks of text; an empty one is absent."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        blocks: list[Any] = to_blocks("system", "system", value)
        return "\n".join(block["text"] for block in blocks) or missing


class Thinking(fields.Field[ThinkingConfig]):
    """`thinking`: whether to think, and whether to tell of it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> ThinkingConfig:
        config: ThinkingConfig = {"type": _one_of(_object(value), "type", THINKING)}
        if value.get("display") is not None:
            config["display"] = _one_of(value, "display", DISPLAYS)
        return config


class OutputConfigField(fields.Field[OutputConfig]):
    """`output_config`: an effort, and a schema that is compiled here."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        config: OutputConfig = {}
        if _object(value).get("effort") is not None:
            config["effort"] = _one_of(value, "effort", EFFORTS)
        if (form := value.get("format")) is not None:
            try:
                config["format"] = to_form(form)
            except ValidationError as error:
                raise ValidationError({"format": error.messages}) from None
        return config or missing


class OutputFormat(fields.Field[JsonSchema]):
    """`output_format`: where older SDKs have `output_config.format`."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> JsonSchema:
        return to_form(value)


class Metadata(fields.Field[MessageMetadata]):
    """`metadata`; of its members only `user_id` means something."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        user = _object(value).get("user_id")
        if user is not None and not isinstance(user, str):
            raise ValidationError({"user_id": [f"expected a string, got {kind(user)}."]})
        return {"user_id": user} if user else missing


def to_form(value: Any) -> JsonSchema:
    """Return the schema of an answer; raises ValidationError for one that cannot be used."""
    if _object(value).get("type") != "json_schema":
        raise ValidationError({"type": ["expected json_schema."]})
    schema = value.get("schema")
    if not isinstance(schema, dict):
        raise ValidationError({"schema": [f"expected an object, got {kind(schema)}."]})
    try:
        to_checker(schema)
    except BadSchema as bad:
        raise wrong_at(bad.reason, "schema", *bad.place) from None
    return {"name": NAME, "schema": schema}


def unheard(value: ThinkingConfig, traits: Callable[[], Traits]) -> set[str]:
    """Name `thinking` where it asks a model to think which does not."""
    return {"thinking"} if is_unheard(value["type"] != "disabled", traits()) else set()


def ignored_in_messages(messages: list[dict[str, Any]]) -> set[str]:
    """Name what checked messages hold and no engine sees."""
    names: set[str] = set()
    for index, message in enumerate(messages):
        names |= {
            f"messages.{name}"
            for name, value in message.items()
            if name not in ("role", "content") and value is not None
        }
        names |= ignored_in_blocks(f"messages[{index}].content", message.get("content"))
    return names


def ignored_in_system(system: Any) -> set[str]:
    """Name what the blocks of a checked `system` hold beside their text."""
    return {
        f"system.{name}"
        for block in (system if isinstance(system, list) else ())
        for name, value in block.items()
        if name not in ("type", "text") and value is not None
    }


def ignored_in_objects(raw: dict[str, Any]) -> set[str]:
    """Name the members of checked objects that have no effect."""
    config = raw.get("output_config") or {}
    found = {**raw, "output_config.format": config.get("format")}
    return {
        f"{place}.{name}"
        for place, kept in _KEPT.items()
        for name, value in (found.get(place) or {}).items()
        if name not in kept and value is not None
    }


def _turn(index: int, message: Any) -> MessageTurn:
    if not isinstance(message, dict):
        raise ValidationError(f"expected an object, got {kind(message)}.")
    role = _one_of(message, "role", ROLES)
    try:
        content = to_blocks(f"messages[{index}].content", role, message.get("content"))
    except ValidationError as error:
        raise ValidationError({"content": error.messages}) from None
    return {"role": role, "content": content}


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValidationError(f"expected an object, got {kind(value)}.")
    return value


def _one_of(holder: dict[str, Any], name: str, words: tuple[str, ...]) -> Any:
    value = holder.get(name)
    if not isinstance(value, str) or value not in words:
        raise ValidationError({name: [f"expected one of {', '.join(words)}."]})
    return value
