"""Log probabilities: what engines tell of their tokens, made regular."""

from typing import Any

import pytest

from tensoria.errors import BackendError
from tensoria.translate.logprobs import ToTextLogprobs, to_tokens
from tensoria.wire.openai import TokenLogprob

HI = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105]}
NO = {"token": "No", "logprob": -2.5, "bytes": [78, 111]}


def token(text: str, logprob: float, *bytes: int) -> TokenLogprob:
    return {"token": text, "logprob": logprob, "bytes": list(bytes), "top_logprobs": []}


# (name, what the engine tells, how many of the likeliest are wanted, what comes of it)
TOLD: list[tuple[str, Any, int, list[Any]]] = [
    ("none", None, 5, []),
    ("ollama, none of the likeliest", [HI], 5, [{**HI, "top_logprobs": []}]),
    (
        "ollama",
        [{**HI, "top_logprobs": [HI, NO]}],
        20,
        [{**HI, "top_logprobs": [HI, NO]}],
    ),
    (
        "openai, with members of its own",
        {"content": [{"id": 7, **NO, "top_logprobs": [{"id": 8, **HI}, {"id": 7, **NO}]}]},
        2,
        [{**NO, "top_logprobs": [HI, NO]}],
    ),
    (
        "likeliest first, and no more than asked for",
        [{**NO, "top_logprobs": [NO, HI]}],
        1,
        [{**NO, "top_logprobs": [HI]}],
    ),
    ("asked for none", [{**HI, "top_logprobs": [HI]}], 0, [{**HI, "top_logprobs": []}]),
    (
        "bytes left out or null",
        [{"token": "é", "logprob": 0}, {"token": "", "logprob": -1, "bytes": None}],
        0,
        [token("é", 0, 195, 169), token("", -1)],
    ),
    ("half a letter", [{"token": "�", "logprob": -1, "bytes": [195]}], 0, [token("�", -1, 195)]),
    ("no content", {"content": None, "refusal": None}, 5, []),
    (
        "older form",
        {
            "tokens": ["Hi", "No"],
            "token_logprobs": [-0.25, -2.5],
            "top_logprobs": [{"No": -2.5, "Hi": -0.25}, None],
            "text_offset": [0, 2],
        },
        5,
        [{**HI, "top_logprobs": [HI, NO]}, {**NO, "top_logprobs": []}],
    ),
    (
        "older form, none of the likeliest",
        {"tokens": ["Hi"], "token_logprobs": [-0.25], "top_logprobs": None},
        5,
        [{**HI, "top_logprobs": []}],
    ),
]


@pytest.mark.parametrize(
    ("told", "most", "expected"), [row[1:] for row in TOLD], ids=[r[0] for r in TOLD]
)
def test_tokens_are_made_regular(told: Any, most: int, expected: list[Any]) -> None:
    assert to_tokens(told, most) == expected


@pytest.mark.parametrize(
    "told",
    [
        "x",
        7,
        [7],
        [{}],
        [{"token": 7, "logprob": 0}],
        [{"token": "a", "logprob": None}],
        [{"token": "a", "logprob": 0, "bytes": [256]}],
        [{"token": "a", "logprob": 0, "bytes": ["a"]}],
        [{**HI, "top_logprobs": [7]}],
        {},
        {"tokens": "ab", "token_logprobs": [0, 0]},
        {"tokens": ["a"]},
        {"tokens": ["a"], "token_logprobs": [None]},
    ],
)
def test_what_cannot_be_read_is_the_engines_fault(told: Any) -> None:
    with pytest.raises(BackendError, match="cannot be read"):
        to_tokens(told, 5)


def test_older_form_has_the_chosen_token_among_the_likeliest() -> None:
    told = ToTextLogprobs().feed([{**NO, "top_logprobs": [HI]}, {**HI, "top_logprobs": [HI]}])  # type: ignore[typeddict-item,list-item]
    assert told == {
        "tokens": ["No", "Hi"],
        "token_logprobs": [-2.5, -0.25],
        "top_logprobs": [{"Hi": -0.25, "No": -2.5}, {"Hi": -0.25}],
        "text_offset": [0, 2],
    }


def test_offsets_go_on_from_line_to_line_in_characters() -> None:
    """A letter of several bytes counts once, with the token that ends it."""
    writer = ToTextLogprobs()
    first = writer.feed([token("é", -1, 195, 169), token("�", -1, 0xF0, 0x9F)])
    second = writer.feed([token("�", -1, 0x98, 0x80), token("a", -1, 97)])
    assert (first["text_offset"], second["text_offset"]) == ([0, 1], [1, 2])


def test_token_without_bytes_takes_no_place() -> None:
    tokens: list[TokenLogprob] = [
        {"token": "<end>", "logprob": 0, "bytes": None, "top_logprobs": []},
        token("a", -1, 97),
    ]
    assert ToTextLogprobs().feed(tokens)["text_offset"] == [0, 0]
