"""The table: what becomes of a field at each kind of engine, and in strict mode."""

from typing import Any

import pytest
from marshmallow import Schema

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import Taken, load
from tensoria.schemas.chat import ChatSchema
from tensoria.schemas.completions import CompletionSchema
from tensoria.schemas.embeddings import EmbeddingSchema
from tensoria.schemas.support import (
    Support,
    honoured,
    ignored,
    narrow,
    refused,
    support,
    table,
)
from tensoria.translate.traits import Traits

OLLAMA = Traits("ollama", "m", (0, 24, 0), frozenset({"completion"}))


class Body(Schema):
    """One field of each kind of support."""

    kept = Taken(metadata=honoured())
    harmless = Taken(metadata=ignored("Nothing is kept.", changes=False))
    lost = Taken(metadata=ignored("Nothing is searched.", changes=True))
    never = Taken(metadata=refused("Send other."))
    elsewhere = Taken(metadata=support("refused", "Biases need logits.", llamacpp="honoured"))
    recent = Taken(metadata=honoured(since=(0, 30, 0)))
    able = Taken(metadata=honoured(needs="tools"))
    otherwise = Taken(metadata=honoured(needs="tools", unless="kept"))


def told(*names: str, traits: Traits = OLLAMA, strict: bool = False) -> tuple[str, ...]:
    body: dict[str, Any] = dict.fromkeys(names, "x")
    return narrow(Body, load(Body, body), lambda: traits, strict=strict)


def refusal(*names: str, traits: Traits = OLLAMA, strict: bool = False) -> UnsupportedParameter:
    with pytest.raises(UnsupportedParameter) as caught:
        told(*names, traits=traits, strict=strict)
    return caught.value


@pytest.mark.parametrize("schema", [ChatSchema, CompletionSchema, EmbeddingSchema])
def test_every_field_is_in_the_table(schema: type[Schema]) -> None:
    assert all(isinstance(each, Support) for each in table(schema).values())


@pytest.mark.parametrize("schema", [ChatSchema, CompletionSchema, EmbeddingSchema])
def test_what_is_not_simply_honoured_is_explained(schema: type[Schema]) -> None:
    unexplained = {
        name
        for name, each in table(schema).items()
        if not each.note and {each.ollama, each.llamacpp, each.openai} != {"honoured"}
    }
    assert unexplained == set()


def test_honoured_field_needs_no_look_at_the_model() -> None:
    def traits() -> Traits:
        pytest.fail("the engine was asked for nothing")

    assert narrow(Body, load(Body, {"kept": 1}), traits, strict=True) == ()


def test_ignored_fields_are_told_in_order() -> None:
    assert told("lost", "harmless", "zebra", "kept") == ("harmless", "lost", "zebra")


def test_field_that_no_engine_serves_is_refused_with_what_to_do() -> None:
    error = refusal("never")
    assert (error.param, error.code) == ("never", "unsupported_parameter")
    assert error.message == "'never' is not supported. Send other."


def test_field_is_refused_at_one_engine_and_honoured_at_another() -> None:
    assert refusal("elsewhere").message == (
        "'elsewhere' is not supported by this engine. Biases need logits."
    )
    assert told("elsewhere", traits=Traits("llamacpp", "m")) == ()
    assert told("elsewhere", traits=Traits("openai", "m")) == ()


def test_field_that_a_release_does_not_know_is_refused_with_the_release() -> None:
    assert refusal("recent").message == "'recent' needs Ollama 0.30.0 or later."
    assert told("recent", traits=Traits("ollama", "m", (0, 30, 0))) == ()
    assert told("recent", traits=Traits("ollama", "m")) == ()
    assert told("recent", traits=Traits("openai", "m")) == ()


def test_capability_does_not_count_beside_the_field_that_makes_it_needless() -> None:
    assert refusal("otherwise").param == "otherwise"
    assert told("otherwise", "kept") == ()


def test_field_that_the_model_cannot_serve_is_refused_with_the_capability() -> None:
    error = refusal("able")
    assert error.message == "'able' needs a model with the capability 'tools', which m lacks."
    assert told("able", traits=Traits("ollama", "m")) == ()
    assert told("able", traits=Traits("llamacpp", "m")) == ()
    denied = Traits("llamacpp", "m", denied=frozenset({"tools"}))
    assert refusal("able", traits=denied).message == error.message
    assert told("able", traits=Traits("ollama", "m", None, frozenset({"tools"}))) == ()


@pytest.mark.parametrize("name", ["lost", "zebra"])
def test_strict_mode_refuses_what_changes_the_answer(name: str) -> None:
    error = refusal(name, strict=True)
    assert (error.param, error.code) == (name, "unsupported_parameter")


def test_strict_mode_lets_harmless_fields_pass() -> None:
    assert told("harmless", "kept", strict=True) == ("harmless",)


def test_strict_mode_lets_members_of_known_fields_pass() -> None:
    """What they change stands with the field."""
    assert told("kept.member", strict=True) == ("kept.member",)


def test_field_that_every_engine_ignores_needs_no_look_at_the_model() -> None:
    """Most requests have one: it must not cost a question to the engine."""

    def traits() -> Traits:
        pytest.fail("the engine was asked for nothing")

    loaded = load(Body, {"harmless": 1, "lost": 1})
    assert narrow(Body, loaded, traits, strict=False) == ("harmless", "lost")
