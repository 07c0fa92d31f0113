import copy
from typing import Any

import pytest

from tests.contract import check
from tests.contract.schemas import _contract

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "mistral:latest",
    "system_fingerprint": None,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello.", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "mistral:latest",
    "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}],
}
MODEL: dict[str, Any] = {
    "id": "mistral:latest",
    "object": "model",
    "created": 1_700_000_000,
    "owned_by": "library",
}
ERROR: dict[str, Any] = {
    "error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": None}
}

GOOD = {
    "chat.response": ANSWER,
    "chat.chunk": CHUNK,
    "models.response": {"object": "list", "data": [MODEL]},
    "model": MODEL,
    "error": ERROR,
}

MISSING = object()
BAD: list[tuple[str, tuple[str | int, ...], object]] = [
    ("chat.response", ("id",), MISSING),
    ("chat.response", ("object",), "chat.completion.chunk"),
    ("chat.response", ("created",), "2024-01-01"),
    ("chat.response", ("created",), 1.5),
    ("chat.response", ("choices",), None),
    ("chat.response", ("choices", 0, "logprobs"), MISSING),
    ("chat.response", ("choices", 0, "finish_reason"), None),
    ("chat.response", ("choices", 0, "finish_reason"), "load"),
    ("chat.response", ("choices", 0, "message", "refusal"), MISSING),
    ("chat.response", ("choices", 0, "message", "role"), "user"),
    ("chat.response", ("choices", 0, "message", "content"), ["Hello."]),
    ("chat.response", ("usage", "total_tokens"), MISSING),
    ("chat.chunk", ("choices", 0, "delta"), MISSING),
    ("chat.chunk", ("choices", 0, "finish_reason"), MISSING),
    ("chat.chunk", ("choices", 0, "index"), "0"),
    ("chat.chunk", ("usage",), {"prompt_tokens": 1}),
    ("models.response", ("data",), None),
    ("models.response", ("data", 0), "mistral:latest"),
    ("models.response", ("data", 0, "owned_by"), MISSING),
    ("model", ("created",), None),
    ("error", ("error", "param"), MISSING),
    ("error", ("error", "code"), 404),
    ("error", ("error",), "No."),
]


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_body_passes(kind: str) -> None:
    check(kind, GOOD[kind])


@pytest.mark.parametrize(("kind", "path", "value"), BAD)
def test_a_body_with_one_fault_is_refused(
    kind: str, path: tuple[str | int, ...], value: object
) -> None:
    body: Any = copy.deepcopy(GOOD[kind])
    *parents, last = path
    place = body
    for step in parents:
        place = place[step]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value

    with pytest.raises(AssertionError, match=f"not a valid {kind}"):
        check(kind, body)


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("body", [None, [], "text", 1], ids=repr)
def test_a_body_that_is_no_object_is_refused(kind: str, body: object) -> None:
    with pytest.raises(AssertionError):
        check(kind, body)


def test_the_message_names_the_place_in_the_body() -> None:
    body = copy.deepcopy(ANSWER)
    body["choices"][0]["index"] = "0"

    with pytest.raises(AssertionError, match=r"choices\[0\]\.index"):
        check("chat.response", body)


def test_an_optional_member_may_be_null_in_every_chunk() -> None:
    check("chat.chunk", CHUNK | {"usage": None, "service_tier": None, "system_fingerprint": None})


def test_every_kind_has_its_schema() -> None:
    contract = _contract()

    assert set(contract["kinds"].values()) <= set(contract["$defs"])
    assert set(GOOD) <= set(contract["kinds"])
