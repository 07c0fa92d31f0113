"""Releases and capabilities."""

import pytest

from tensoria.translate.traits import Traits, Version, to_version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.32.15", (0, 32, 15)),
        ("0.33.0-rc2", (0, 33, 0)),
        ("0.9.6", (0, 9, 6)),
        ("0.0.0", None),
        ("", None),
        ("main", None),
        ("1.2", None),
    ],
)
def test_release_is_read(text: str, expected: Version | None) -> None:
    assert to_version(text) == expected


@pytest.mark.parametrize(
    ("kind", "version", "expected"),
    [
        ("ollama", (0, 12, 10), True),
        ("ollama", (0, 12, 11), False),
        ("ollama", (0, 24, 0), False),
        ("ollama", None, False),
        ("openai", None, False),
    ],
)
def test_only_an_ollama_of_a_known_release_is_older(
    kind: str, version: Version | None, expected: bool
) -> None:
    traits = Traits(kind, "m", version)  # type: ignore[arg-type]
    assert traits.is_older((0, 12, 11)) is expected


@pytest.mark.parametrize(
    ("told", "expected"), [(None, False), ({"completion"}, True), ({"tools"}, False), ((), True)]
)
def test_capability_is_lacking_only_where_they_are_told(
    told: set[str] | None, expected: bool
) -> None:
    capabilities = None if told is None else frozenset(told)
    assert Traits("ollama", "m", None, capabilities).lacks("tools") is expected


def test_capability_that_an_engine_denies_is_lacking() -> None:
    traits = Traits("llamacpp", "m", denied=frozenset({"tools"}))
    assert traits.lacks("tools")
    assert not traits.lacks("vision")
