"""What engines tell of their time, in milliseconds and tokens per second."""

from typing import Any

import pytest

from tensoria.translate.timings import add_up, from_llama_cpp, from_ollama
from tensoria.wire.openai import Timings

OLLAMA = [
    ("nothing", {}, {}),
    ("zeros are left out on the wire", {"eval_duration": 1_000_000}, {"decode_ms": 1}),
    ("a load", {"load_duration": 1_500_000}, {"load_ms": 1.5}),
    (
        "a prefill",
        {"prompt_eval_duration": 250_000_000, "prompt_eval_count": 100},
        {"prefill_ms": 250, "prefill_tokens_per_second": 400},
    ),
    ("no time", {"eval_duration": 0, "eval_count": 5}, {"decode_ms": 0}),
    ("odd types", {"load_duration": "1", "eval_duration": True, "eval_count": 5}, {}),
]
LLAMA_CPP = [
    ("nothing", {}, {}),
    ("no object", [1], {}),
    ("null", None, {}),
    (
        "both phases",
        {"prompt_n": 10, "prompt_ms": 50.0, "predicted_n": 20, "predicted_ms": 400.0},
        {
            "prefill_ms": 50,
            "prefill_tokens_per_second": 200,
            "decode_ms": 400,
            "decode_tokens_per_second": 50,
        },
    ),
    ("odd types", {"prompt_ms": "50", "predicted_ms": None}, {}),
]


@pytest.mark.parametrize(("_name", "line", "expected"), OLLAMA, ids=[row[0] for row in OLLAMA])
def test_durations_of_ollama(_name: str, line: dict[str, Any], expected: dict[str, float]) -> None:
    assert from_ollama(line) == expected


@pytest.mark.parametrize(("_n", "told", "expected"), LLAMA_CPP, ids=[row[0] for row in LLAMA_CPP])
def test_durations_of_llama_cpp(_n: str, told: object, expected: dict[str, float]) -> None:
    assert from_llama_cpp(told) == expected


def test_runs_add_up_and_their_speed_is_that_of_all() -> None:
    """Ten tokens in 0.1 s and thirty in 0.1 s are forty in 0.2 s."""
    first: Timings = {"load_ms": 1.5, "decode_ms": 100, "decode_tokens_per_second": 100}
    second: Timings = {"prefill_ms": 5, "decode_ms": 100, "decode_tokens_per_second": 300}
    assert add_up([first, {}, second]) == {
        "load_ms": 1.5,
        "prefill_ms": 5,
        "decode_ms": 200,
        "decode_tokens_per_second": 200,
    }


def test_runs_that_took_no_time_have_no_speed() -> None:
    told: Timings = {"decode_ms": 0, "decode_tokens_per_second": 9e9}
    assert add_up([told, told]) == {"decode_ms": 0}
