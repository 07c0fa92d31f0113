"""Five spellings of one wish, and what each engine takes for it."""

from typing import Any

import pytest

from tensoria.translate.reasoning import (
    is_unheard,
    settle_effort,
    to_openai_reasoning,
    to_think,
    wish,
)
from tensoria.translate.traits import Traits, Version

THINKS = frozenset({"completion", "thinking"})
TALKS = frozenset({"completion"})


def ollama(version: Version | None, model: str = "qwen3:4b", able: Any = THINKS) -> Traits:
    return Traits("ollama", model, version, able)


def think(effort: str | bool, traits: Traits) -> tuple[str | bool | None, dict[str, str]]:
    field = "think" if isinstance(effort, bool) else "reasoning_effort"
    request: Any = {field: effort}
    return to_think(request, None, lambda: traits)


# (release, effort, `think`, what is told as adjusted)
BY_RELEASE: list[tuple[Version, str | bool, str | bool | None, str | None]] = [
    ((0, 8, 0), "high", None, None),
    ((0, 8, 0), False, None, None),
    ((0, 9, 0), "high", True, "true"),
    ((0, 9, 0), "minimal", True, "true"),
    ((0, 9, 0), "none", False, None),
    ((0, 9, 0), True, True, None),
    ((0, 9, 0), False, False, None),
    ((0, 11, 0), "low", True, "true"),
    ((0, 17, 6), "medium", True, "true"),
    ((0, 17, 6), "none", False, None),
    ((0, 17, 7), "low", "low", None),
    ((0, 17, 7), "medium", "medium", None),
    ((0, 17, 7), "high", "high", None),
    ((0, 17, 7), "minimal", "low", "low"),
    ((0, 17, 7), "xhigh", "high", "high"),
    ((0, 17, 7), "max", "high", "high"),
    ((0, 17, 7), "none", False, None),
    ((0, 17, 7), True, True, None),
    ((0, 22, 0), "xhigh", "max", "max"),
    ((0, 22, 0), "max", "max", None),
    ((0, 32, 15), "minimal", "low", "low"),
]


@pytest.mark.parametrize(("version", "effort", "expected", "told"), BY_RELEASE)
def test_effort_becomes_what_the_release_knows(
    version: Version, effort: str | bool, expected: str | bool | None, told: str | None
) -> None:
    sent, adjusted = think(effort, ollama(version))
    assert (sent, type(sent)) == (expected, type(expected))
    assert adjusted == ({} if told is None else {"reasoning_effort": told})


def test_development_build_counts_as_the_newest() -> None:
    assert think("max", ollama(None)) == ("max", {})


# (release, effort, `think`, what is told as adjusted)
GPT_OSS: list[tuple[Version, str | bool, str | bool, dict[str, str]]] = [
    ((0, 10, 0), "high", True, {"reasoning_effort": "true"}),
    ((0, 10, 0), "none", False, {}),
    ((0, 11, 0), "high", "high", {}),
    ((0, 17, 6), "xhigh", "high", {"reasoning_effort": "high"}),
    ((0, 32, 15), "none", "low", {"reasoning_effort": "low"}),
    ((0, 32, 15), False, "low", {"think": "low"}),
    ((0, 32, 15), True, True, {}),
]


@pytest.mark.parametrize(("version", "effort", "expected", "told"), GPT_OSS)
def test_gpt_oss_has_levels_earlier_and_cannot_stop_thinking(
    version: Version, effort: str | bool, expected: str | bool, told: dict[str, str]
) -> None:
    assert think(effort, ollama(version, "hf.co/unsloth/gpt-oss-20b-GGUF:Q4_K_M")) == (
        expected,
        told,
    )


@pytest.mark.parametrize("effort", ["none", "low", "max", True, False])
def test_model_that_cannot_think_is_sent_nothing(effort: str | bool) -> None:
    """Ollama answers anything but false with a 400."""
    assert think(effort, ollama((0, 32, 15), able=TALKS)) == (None, {})


def test_model_that_tells_nothing_of_itself_is_taken_at_the_clients_word() -> None:
    assert think("none", ollama((0, 32, 15), able=None)) == (False, {})


def unasked() -> Traits:
    pytest.fail("nobody asked for an effort")


def test_request_without_a_wish_costs_no_look_at_the_model() -> None:
    assert to_think({"messages": []}, None, unasked) == (None, {})


@pytest.mark.parametrize(
    ("able", "expected"), [(THINKS, "low"), (TALKS, None)], ids=["thinks", "talks"]
)
def test_default_effort_stands_in_where_the_model_thinks(
    able: frozenset[str], expected: str | None
) -> None:
    """Nobody asked for it, so nothing is told."""
    traits = ollama((0, 32, 15), able=able)
    assert to_think({"messages": []}, "minimal", lambda: traits) == (expected, {})


def test_clients_effort_wins_over_the_default() -> None:
    request: Any = {"reasoning_effort": "none"}
    found = to_think(request, "high", lambda: ollama((0, 32, 15)))
    assert found == (False, {})


# (kind, release, capabilities, effort, without effect?)
HEARD = [
    ("ollama", (0, 32, 15), THINKS, "high", False),
    ("ollama", (0, 32, 15), TALKS, "high", True),
    ("ollama", (0, 32, 15), TALKS, True, True),
    ("ollama", (0, 32, 15), TALKS, "none", False),
    ("ollama", (0, 32, 15), TALKS, False, False),
    ("ollama", (0, 32, 15), None, "high", False),
    ("ollama", (0, 8, 0), None, "none", True),
    ("llamacpp", None, None, "high", False),
    ("openai", None, None, True, False),
]


@pytest.mark.parametrize(("kind", "version", "able", "effort", "expected"), HEARD)
def test_effort_without_effect_is_known(
    kind: Any, version: Version | None, able: Any, effort: str | bool, expected: bool
) -> None:
    assert is_unheard(effort, Traits(kind, "m", version, able)) is expected


# (name, as sent, what is left, what is told)
SETTLED: list[tuple[str, dict[str, Any], dict[str, Any], set[str]]] = [
    ("none", {}, {}, set()),
    (
        "arguments for the template alone",
        {"chat_template_kwargs": {"x": 1}},
        {"chat_template_kwargs": {"x": 1}},
        set(),
    ),
    ("one", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}, set()),
    (
        "the engine's own word is the most specific",
        {"think": False, "reasoning_effort": "high", "reasoning": {"effort": "low"}},
        {"think": False},
        {"reasoning_effort", "reasoning.effort"},
    ),
    (
        "the object before the string",
        {"reasoning": {"effort": "low"}, "reasoning_effort": "high"},
        {"reasoning": {"effort": "low"}},
        {"reasoning_effort"},
    ),
    (
        "the string before the template",
        {"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": True}},
        {"reasoning_effort": "none"},
        {"chat_template_kwargs.enable_thinking"},
    ),
    (
        "the template before the bare name",
        {"enable_thinking": True, "chat_template_kwargs": {"enable_thinking": False}},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"enable_thinking"},
    ),
    (
        "the same, twice",
        {"reasoning_effort": "low", "reasoning": {"effort": "low"}},
        {"reasoning": {"effort": "low"}},
        set(),
    ),
    (
        "off in two words",
        {"think": False, "reasoning_effort": "none", "enable_thinking": False},
        {"think": False},
        set(),
    ),
    (
        "an effort says true more exactly",
        {"think": True, "reasoning_effort": "high"},
        {"reasoning_effort": "high"},
        set(),
    ),
    (
        "true against none",
        {"think": True, "reasoning_effort": "none"},
        {"think": True},
        {"reasoning_effort"},
    ),
    (
        "the template's other arguments stay",
        {"think": True, "chat_template_kwargs": {"enable_thinking": True, "x": 1}},
        {"think": True, "chat_template_kwargs": {"x": 1}},
        set(),
    ),
    (
        "arguments that are no wish",
        {"think": True, "chat_template_kwargs": {"x": 1}},
        {"think": True, "chat_template_kwargs": {"x": 1}},
        set(),
    ),
]


@pytest.mark.parametrize(
    ("_name", "sent", "left", "told"), SETTLED, ids=[row[0] for row in SETTLED]
)
def test_one_spelling_is_left(
    _name: str, sent: dict[str, Any], left: dict[str, Any], told: set[str]
) -> None:
    request: Any = dict(sent)
    assert settle_effort(request) == told
    assert request == left


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"think": "low"}, "think"),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
    ],
)
def test_wish_has_the_name_that_the_client_used(sent: Any, name: str) -> None:
    assert wish(sent) == (name, "low")


# (as sent, the default, for llama.cpp, for the others)
PASSED: list[tuple[dict[str, Any], str | None, dict[str, Any], dict[str, Any]]] = [
    ({}, None, {}, {}),
    (
        {"reasoning_effort": "low"},
        None,
        {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"}},
        {"reasoning_effort": "low"},
    ),
    (
        {"reasoning": {"effort": "xhigh"}},
        None,
        {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "high"}},
        {"reasoning_effort": "xhigh"},
    ),
    (
        {"think": "none"},
        None,
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"reasoning_effort": "none"},
    ),
    (
        {"think": False},
        "high",
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ),
    (
        {"chat_template_kwargs": {"enable_thinking": True, "x": 1}},
        None,
        {"chat_template_kwargs": {"enable_thinking": True, "x": 1}},
        {"chat_template_kwargs": {"enable_thinking": True, "x": 1}},
    ),
    (
        {},
        "low",
        {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"}},
        {"reasoning_effort": "low"},
    ),
]


@pytest.mark.parametrize(("sent", "default", "llama_cpp", "others"), PASSED)
def test_engines_that_speak_openai_get_it_in_their_words(
    sent: Any, default: str | None, llama_cpp: dict[str, Any], others: dict[str, Any]
) -> None:
    assert to_openai_reasoning(sent, default=default, llama_cpp=True) == llama_cpp
    assert to_openai_reasoning(sent, default=default, llama_cpp=False) == others
