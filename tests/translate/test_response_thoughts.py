"""Thoughts as `encrypted_content`."""

import pytest

from tensoria.translate.response_thoughts import seal, unseal


def test_a_sealed_thought_is_read_back() -> None:
    assert unseal(seal("Grüße, 日本")) == "Grüße, 日本"


@pytest.mark.parametrize(
    "sealed",
    ["gAAAAABo", "", "tensoria-thought-1.?", "tensoria-thought-1./w==", "tensoria-thought-2.SG0="],
)
def test_what_another_engine_sealed_stays_closed(sealed: str) -> None:
    assert unseal(sealed) is None
