"""What a chat and a completion take as a wish to think, and what is told of it."""

from typing import Any

import pytest

from tensoria.errors import InvalidRequest, UnsupportedParameter
from tensoria.schemas.chat import ChatSchema, load
from tensoria.schemas.completions import CompletionSchema
from tensoria.schemas.completions import load as load_completion
from tensoria.schemas.support import narrow
from tensoria.translate.traits import Traits

THINKS = Traits("ollama", "m", (0, 32, 15), frozenset({"completion", "thinking"}))
TALKS = Traits("ollama", "m", (0, 32, 15), frozenset({"completion"}))
LLAMA_CPP = Traits("llamacpp", "m")


def body(**members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi"}], **members}


def told(traits: Traits, *, strict: bool = False, **members: Any) -> tuple[str, ...]:
    return narrow(ChatSchema, load(body(**members)), lambda: traits, strict=strict)


def test_contradiction_is_told_and_agreement_is_not() -> None:
    loaded = load(body(think=False, reasoning_effort="high", enable_thinking=False))
    assert loaded.request == body(think=False)
    assert loaded.ignored == ("reasoning_effort",)


def test_other_members_of_reasoning_are_told() -> None:
    loaded = load(body(reasoning={"effort": "low", "summary": "auto", "exclude": None}))
    assert loaded.request == body(reasoning={"effort": "low"})
    assert loaded.ignored == ("reasoning.summary",)


@pytest.mark.parametrize("value", [{}, {"effort": None}, {"max_tokens": 5}])
def test_reasoning_without_an_effort_asks_for_nothing(value: dict[str, Any]) -> None:
    loaded = load(body(reasoning=value))
    assert loaded.request == body()
    assert loaded.ignored == tuple(f"reasoning.{name}" for name in value if value[name])


# (fields, what a model that only talks ignores)
UNHEARD: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"reasoning_effort": "high"}, ("reasoning_effort",)),
    ({"reasoning": {"effort": "low"}}, ("reasoning.effort",)),
    ({"think": True}, ("think",)),
    ({"think": "max"}, ("think",)),
    ({"enable_thinking": True}, ("enable_thinking",)),
    (
        {"chat_template_kwargs": {"enable_thinking": True}},
        ("chat_template_kwargs.enable_thinking",),
    ),
    ({"chat_template_kwargs": {"enable_thinking": False}}, ()),
    ({"reasoning_effort": "none"}, ()),
    ({"think": False}, ()),
]


@pytest.mark.parametrize(("fields", "names"), UNHEARD)
def test_model_that_cannot_think_ignores_it_with_notice(
    fields: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert told(TALKS, **fields) == names
    assert told(THINKS, **fields) == ()


def test_strict_mode_refuses_an_effort_without_effect() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        told(TALKS, strict=True, reasoning_effort="low")
    assert caught.value.param == "reasoning_effort"


def test_template_arguments_reach_llama_cpp_and_not_ollama() -> None:
    arguments = {"enable_thinking": True, "tone": "dry"}
    assert told(LLAMA_CPP, chat_template_kwargs=arguments) == ()
    assert told(THINKS, chat_template_kwargs=arguments) == ("chat_template_kwargs.tone",)


def test_strict_mode_refuses_template_arguments_without_effect() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        told(THINKS, strict=True, chat_template_kwargs={"tone": "dry"})
    assert caught.value.param == "chat_template_kwargs.tone"


@pytest.mark.parametrize("value", [{}, {"enable_thinking": None}])
def test_template_arguments_that_say_nothing_are_absent(value: dict[str, Any]) -> None:
    assert load(body(chat_template_kwargs=value)).request == body()


def test_template_arguments_deeper_than_engines_are_told_are_refused() -> None:
    """JSON is read four times as deep as it is written."""
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    with pytest.raises(InvalidRequest) as caught:
        load(body(chat_template_kwargs={"a": deep}))
    assert caught.value.param == "chat_template_kwargs"


def completion(think: object) -> Any:
    return load_completion({"prompt": "x", "think": think})


@pytest.mark.parametrize("value", [False, "none"])
def test_completion_thinks_of_nothing_anyway(value: object) -> None:
    assert completion(value).request == {"prompt": ["x"]}


@pytest.mark.parametrize("value", [True, "high"])
def test_completion_that_shall_think_is_told(value: object) -> None:
    found = narrow(CompletionSchema, completion(value), lambda: THINKS, strict=False)
    assert found == ("think",)


@pytest.mark.parametrize("value", [1, "yes", [True]])
def test_completion_refuses_a_wish_of_the_wrong_type(value: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        completion(value)
    assert caught.value.param == "think"
