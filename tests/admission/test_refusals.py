"""What is told to those who cannot be queued."""

import pytest

from tensoria.admission.refusals import no_turn


@pytest.mark.parametrize(
    ("seconds", "header", "words"),
    [
        (0.0, "1", "about 1 s."),
        (1.2, "2", "about 2 s."),
        (60.0, "60", "about 60 s."),
        (960.0, "60", "about 960 s."),
    ],
)
def test_a_repeat_makes_sense_within_a_minute_and_the_words_are_honest(
    seconds: float, header: str, words: str
) -> None:
    error = no_turn(120, seconds)

    assert error.headers == {"Retry-After": header}
    assert error.message.endswith(words)
