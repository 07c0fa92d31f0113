"""The fields of a message that are Anthropic's own."""

from typing import Any

import pytest
from marshmallow import ValidationError, missing

from tensoria.schemas.message_fields import (
    Metadata,
    OutputConfigField,
    OutputFormat,
    System,
    Thinking,
    Turns,
    ignored_in_messages,
    ignored_in_objects,
    ignored_in_system,
    unheard,
)
from tensoria.translate.traits import Traits
from tests.schemas.test_message_blocks import IMAGE, TEXT

SCHEMA = {"type": "object"}
FORM = {"type": "json_schema", "schema": SCHEMA}
CHECKED = {"name": "answer", "schema": SCHEMA}
FIELDS: dict[str, Any] = {
    "messages": Turns,
    "system": System,
    "thinking": Thinking,
    "output_config": OutputConfigField,
    "output_format": OutputFormat,
    "metadata": Metadata,
}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("messages", [{"role": "user"}], [{"role": "user", "content": []}]),
        (
            "messages",
            [{"role": "assistant", "content": "a"}],
            [{"role": "assistant", "content": [TEXT]}],
        ),
        ("system", "a", "a"),
        ("system", [TEXT, TEXT], "a\na"),
        ("system", "", missing),
        ("system", [], missing),
        ("thinking", {"type": "enabled", "budget_tokens": 5}, {"type": "enabled"}),
        ("thinking", {"type": "disabled", "display": None}, {"type": "disabled"}),
        (
            "thinking",
            {"type": "adaptive", "display": "omitted"},
            {"type": "adaptive", "display": "omitted"},
        ),
        ("output_config", {}, missing),
        ("output_config", {"effort": None, "format": None}, missing),
        ("output_config", {"effort": "max"}, {"effort": "max"}),
        ("output_config", {"format": FORM}, {"format": CHECKED}),
        ("output_format", FORM, CHECKED),
        ("metadata", {}, missing),
        ("metadata", {"user_id": None}, missing),
        ("metadata", {"user_id": ""}, missing),
        ("metadata", {"user_id": "u", "x": 1}, {"user_id": "u"}),
    ],
)
def test_values_are_taken(name: str, value: Any, expected: Any) -> None:
    assert FIELDS[name]().deserialize(value) == expected


BAD_SCHEMA = {"type": "object", "properties": {"a": {"type": "nothing"}}}


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("messages", {}, []),
        ("messages", [], []),
        ("messages", [5], [0]),
        ("messages", [{"role": "tool"}], [0, "role"]),
        ("messages", [{"role": "user", "content": 5}], [0, "content"]),
        ("messages", [{"role": "user", "content": [IMAGE] * 21}], []),
        ("system", 5, []),
        ("system", [IMAGE], [0, "type"]),
        ("thinking", "enabled", []),
        ("thinking", {"type": "x"}, ["type"]),
        ("thinking", {"type": "enabled", "display": "x"}, ["display"]),
        ("output_config", [], []),
        ("output_config", {"effort": "none"}, ["effort"]),
        ("output_config", {"effort": []}, ["effort"]),
        ("output_config", {"format": "x"}, ["format"]),
        ("output_config", {"format": {"type": "text"}}, ["format", "type"]),
        ("output_format", {"type": "json_schema"}, ["schema"]),
        ("output_format", {"type": "json_schema", "schema": BAD_SCHEMA}, ["schema"]),
        ("metadata", "x", []),
        ("metadata", {"user_id": 5}, ["user_id"]),
    ],
)
def test_what_is_wrong_is_named(name: str, value: Any, place: list[Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        FIELDS[name]().deserialize(value)

    messages: Any = raised.value.messages
    for key in place:
        messages = messages[key]
    assert messages


@pytest.mark.parametrize(
    ("type_", "model", "expected"),
    [
        ("enabled", "able", set()),
        ("enabled", "unable", {"thinking"}),
        ("disabled", "unable", set()),
    ],
)
def test_thinking_that_a_model_cannot_is_named(type_: Any, model: str, expected: set[str]) -> None:
    able = frozenset({"thinking"} if model == "able" else ())
    traits = Traits("ollama", model, version=(0, 20, 0), capabilities=able)

    assert unheard({"type": type_}, lambda: traits) == expected


def test_members_of_messages_that_no_engine_sees_are_named() -> None:
    messages = [
        {"role": "user", "content": "a", "id": "m", "name": None},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": ""}]},
    ]

    assert ignored_in_messages(messages) == {"messages.id", "messages[1].content[0]"}


def test_members_of_the_system_beside_its_text_are_named() -> None:
    system = [TEXT, {**TEXT, "cache_control": {"type": "ephemeral"}, "citations": None}]

    assert ignored_in_system(system) == {"system.cache_control"}
    assert ignored_in_system("a") == ignored_in_system(None) == set()


def test_members_of_objects_without_effect_are_named() -> None:
    raw = {
        "thinking": {"type": "enabled", "budget_tokens": 5},
        "output_config": {"effort": "low", "task_budget": {}, "format": {**FORM, "name": "n"}},
        "output_format": None,
        "metadata": {"user_id": "u", "x": 1, "y": None},
    }

    assert ignored_in_objects(raw) == {
        "thinking.budget_tokens",
        "output_config.task_budget",
        "output_config.format.name",
        "metadata.x",
    }
    assert ignored_in_objects({}) == set()
