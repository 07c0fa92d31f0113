"""Requests that only load or unload a model: what decides how it is loaded, and nothing else."""

from typing import Any

import pytest

from tensoria.translate.loading import Endpoint, to_load, to_unload

COMMON = {"model": "m:latest", "stream": False, "keep_alive": "5m"}


@pytest.mark.parametrize(
    ("endpoint", "own"),
    [
        ("chat", {"messages": [], "shift": False}),
        ("generate", {"prompt": "", "shift": False}),
        ("embed", {"input": []}),
    ],
)
def test_a_load_asks_nothing_in_the_way_of_its_endpoint(
    endpoint: Endpoint, own: dict[str, Any]
) -> None:
    body = to_load("m:latest", endpoint, keep_alive="5m", context_length=None)

    assert body == {**COMMON, **own}


def test_a_context_that_was_set_goes_up_as_with_every_request() -> None:
    body = to_load("m:latest", "embed", keep_alive="5m", context_length=8192)

    assert body == {**COMMON, "input": [], "options": {"num_ctx": 8192}}


@pytest.mark.parametrize(
    ("setting", "on_the_wire"),
    [
        (0, 60),
        (0.9, 60),
        ("0s", 60),
        ("0h", 60),
        ("100ms", 60),
        (".5s", 60),
        (1, 1),
        (-1, -1),
        (300, 300),
        ("1s", "1s"),
        ("-1m", "-1m"),
        ("1h30m", "1h30m"),
        ("0h2s", "0h2s"),
    ],
)
def test_a_load_never_says_that_the_model_shall_be_unloaded(
    setting: str | float, on_the_wire: str | float
) -> None:
    """Ollama cuts `keep_alive` to whole seconds, and zero of them unload a model."""
    body = to_load("m:latest", "chat", keep_alive=setting, context_length=None)

    assert body["keep_alive"] == on_the_wire


def test_an_unload_names_the_model_and_zero() -> None:
    assert to_unload("m:latest") == {"model": "m:latest", "keep_alive": 0}
