"""What of Ollama's own fields reaches which engine."""

from typing import Any

import pytest

from tensoria.translate.extensions import (
    is_option_heard,
    to_more_options,
    to_openai_extensions,
)
from tensoria.translate.traits import Traits, Version


def ollama(version: Version = (0, 32, 15), context: int | None = None) -> Traits:
    return Traits("ollama", "m", version, context_length=context)


LLAMA_CPP, VLLM = Traits("llamacpp", "m"), Traits("openai", "m")

# (name, value, engine, has it an effect?)
OPTIONS: list[tuple[str, Any, Traits, bool]] = [
    ("typical_p", 0.5, ollama(), True),
    ("typical_p", 0.5, LLAMA_CPP, True),
    ("typical_p", 0.5, VLLM, False),
    ("repeat_last_n", 64, ollama(), True),
    ("mirostat", 1, ollama((0, 6, 8)), True),
    ("mirostat", 1, ollama((0, 7, 0)), False),
    ("mirostat_tau", 5, ollama((0, 7, 0)), False),
    ("mirostat", 1, LLAMA_CPP, True),
    ("num_ctx", 4096, ollama(context=4096), True),
    ("num_ctx", 8192, ollama(context=4096), False),
    ("num_ctx", 4096, ollama(), False),
    ("num_ctx", 4096, LLAMA_CPP, False),
    ("shift", False, ollama(), True),
    ("shift", 0, ollama(), False),
    ("shift", True, ollama(), False),
    ("num_gpu", 0, ollama(), False),
    ("num_batch", 512, ollama(), False),
    ("num_thread", 4, ollama(), False),
    ("use_mmap", True, ollama(), False),
    ("main_gpu", 0, ollama(), False),
    ("draft_num_predict", 4, ollama(), False),
    ("num_keep", 4, ollama(), False),
    ("whatever", 1, ollama(), False),
    ("whatever", 1, VLLM, False),
]


@pytest.mark.parametrize(("name", "value", "traits", "heard"), OPTIONS)
def test_option_without_effect_is_known(
    name: str, value: object, traits: Traits, heard: bool
) -> None:
    assert is_option_heard(name, value, traits) is heard


def test_nothing_that_loads_a_model_anew_goes_up() -> None:
    options = {"num_ctx": 1, "num_gpu": 1, "shift": True, "repeat_last_n": 64, "whatever": 1}
    assert to_more_options(options) == {"repeat_last_n": 64}


# (as sent, for llama.cpp, for the others)
PASSED: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({}, {}, {}),
    ({"top_k": 5, "min_p": 0.1}, {"top_k": 5, "min_p": 0.1}, {"top_k": 5, "min_p": 0.1}),
    ({"top_k": 0}, {"top_k": 0}, {"top_k": -1}),
    ({"repeat_penalty": 1.1}, {"repeat_penalty": 1.1}, {"repetition_penalty": 1.1}),
    ({"options": {"mirostat": 1, "num_ctx": 9}}, {"mirostat": 1}, {}),
    ({"temperature": 1}, {}, {}),
]


@pytest.mark.parametrize(("sent", "llama_cpp", "others"), PASSED)
def test_engines_that_speak_openai_get_them_under_their_names(
    sent: dict[str, Any], llama_cpp: dict[str, Any], others: dict[str, Any]
) -> None:
    assert to_openai_extensions(sent, llama_cpp=True) == llama_cpp
    assert to_openai_extensions(sent, llama_cpp=False) == others


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"seed": 7}, {"cache_prompt": False}),
        ({"seed": 0}, {"cache_prompt": False}),
        ({"seed": -1}, {}),
        ({}, {}),
    ],
)
def test_seed_keeps_llama_cpp_from_answering_out_of_its_cache(
    fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The second of two equal requests was another answer than the first."""
    assert to_openai_extensions(fields, llama_cpp=True) == expected


def test_seed_asks_nothing_more_of_other_engines() -> None:
    assert to_openai_extensions({"seed": 7}, llama_cpp=False) == {}
