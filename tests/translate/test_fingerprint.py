"""What changes a fingerprint, and what does not."""

import re
from typing import Any

import pytest

from tensoria.config import Settings
from tensoria.translate.fingerprint import SETTINGS, to_fingerprint, to_identity

DIGEST, RELEASE = "cfe2a397f23b", "0.32.15"


def made(model: str = DIGEST, release: str = RELEASE, **environ: str) -> str:
    return to_fingerprint(model, release, Settings.from_env(environ))


def test_it_is_a_short_hash_and_stays_the_same() -> None:
    assert re.fullmatch(r"fp_[0-9a-f]{10}", made())
    assert made() == made()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OLLAMA_CONTEXT_LENGTH", "8192"),
        ("CONTEXT_OVERFLOW", "truncate"),
        ("DEFAULT_REASONING_EFFORT", "low"),
        ("DEFAULT_TEMPERATURE", "0.1"),
        ("MAX_TOKENS", "100"),
        ("MAX_TOKENS_LIMIT", "100"),
        ("STRUCTURED_RETRY", "1"),
        ("TOOL_RESCUE", "0"),
    ],
)
def test_a_setting_that_changes_answers_changes_it(name: str, value: str) -> None:
    assert made(**{name: value}) != made()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "other"),
        ("API_PORT", "9000"),
        ("OLLAMA_TIMEOUT", "7"),
        ("LOG_LEVEL", "DEBUG"),
        ("MODEL_ALIASES", "a=b"),
    ],
)
def test_another_setting_does_not_change_it(name: str, value: str) -> None:
    assert made(**{name: value}) == made()


def test_other_weights_and_another_release_change_it() -> None:
    assert len({made(), made(model="0" * 12), made(release="0.32.16")}) == 3


def test_every_setting_in_it_exists() -> None:
    assert set(SETTINGS) <= set(Settings.__slots__)


VLLM: dict[str, Any] = {"id": "m", "root": "org/m", "max_model_len": 4096, "created": 5}


@pytest.mark.parametrize(
    ("entry", "same"),
    [
        ({**VLLM, "created": 6, "permission": [{"id": "x"}]}, True),
        (dict(reversed(VLLM.items())), True),
        ({**VLLM, "root": "org/other"}, False),
        ({**VLLM, "max_model_len": 8192}, False),
        ({**VLLM, "meta": {"size": 5}}, False),
    ],
)
def test_what_an_openai_engine_makes_up_for_each_list_is_left_out(
    entry: dict[str, Any], same: bool
) -> None:
    assert (to_identity(entry) == to_identity(VLLM)) is same
