"""The body of a request for embeddings: every field that OpenAI has, and what becomes of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tensoria.errors import InvalidRequest, RequestError, UnsupportedParameter
from tensoria.schemas.embeddings import MAX_INPUTS, EmbeddingSchema, load
from tensoria.wire.openai import EmbeddingRequest

CONTRACT = json.loads(
    (Path(__file__).parent.parent / "contract" / "openai.schema.json").read_text()
)["$defs"]


def refused(body: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load(body)
    return caught.value


# (field, value sent, value in the checked request)
TAKEN: list[tuple[str, Any, Any]] = [
    ("input", "a", ["a"]),
    ("input", " ", [" "]),
    ("input", ["a"], ["a"]),
    ("input", ["b", "a", "b"], ["b", "a", "b"]),
    ("input", ["a"] * MAX_INPUTS, ["a"] * MAX_INPUTS),
    ("model", "all-minilm", "all-minilm"),
    ("dimensions", 1, 1),
    ("dimensions", 8.0, 8),
    ("encoding_format", "float", "float"),
    ("encoding_format", "base64", "base64"),
    ("user", "somebody", "somebody"),
]

# (field, value, param)
REFUSED: list[tuple[str, Any, str]] = [
    ("input", "", "input"),
    ("input", [], "input"),
    ("input", None, "input"),
    ("input", 5, "input"),
    ("input", True, "input"),
    ("input", {"text": "a"}, "input"),
    ("input", [""], "input[0]"),
    ("input", ["a", ""], "input[1]"),
    ("input", ["a", 1], "input[1]"),
    ("input", ["a", None], "input[1]"),
    ("input", [None], "input[0]"),
    ("input", [True], "input[0]"),
    ("input", [{"type": "text", "text": "a"}], "input[0]"),
    ("input", ["a", ["b"]], "input[1]"),
    ("input", [["a"]], "input[0]"),
    ("input", ["a"] * (MAX_INPUTS + 1), "input"),
    ("model", 1, "model"),
    ("dimensions", 0, "dimensions"),
    ("dimensions", -1, "dimensions"),
    ("dimensions", 1.5, "dimensions"),
    ("dimensions", "8", "dimensions"),
    ("dimensions", True, "dimensions"),
    ("encoding_format", "hex", "encoding_format"),
    ("encoding_format", 1, "encoding_format"),
    ("user", 5, "user"),
]

TOKENS: list[Any] = [
    [1],
    [1, 2, 3],
    [1.0],
    [0] * (MAX_INPUTS + 1),
    [[1, 2], [3]],
    [[]],
    [[[[1]]]],
]


def test_schema_has_every_field_of_openais_contract() -> None:
    published = CONTRACT["CreateEmbeddingRequest"]["properties"].keys()
    assert published | {"keep_alive", "options"} == EmbeddingSchema().fields.keys()


def test_typed_request_has_the_fields_of_the_schema() -> None:
    assert EmbeddingSchema().fields.keys() == EmbeddingRequest.__annotations__.keys()


@pytest.mark.parametrize(("name", "value", "expected"), TAKEN)
def test_value_is_taken(name: str, value: object, expected: object) -> None:
    found: dict[str, Any] = {**load({"input": "x", name: value}).request}
    assert found == {"input": ["x"], name: expected}
    assert type(found[name]) is type(expected)


@pytest.mark.parametrize(("name", "value", "param"), REFUSED)
def test_value_is_refused_at_its_place(name: str, value: object, param: str) -> None:
    error = refused({"input": "x", name: value})
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (param, "invalid_value")


@pytest.mark.parametrize("tokens", TOKENS, ids=lambda tokens: str(tokens)[:20])
def test_tokens_are_refused_with_the_switch_that_makes_langchain_send_text(tokens: object) -> None:
    error = refused({"input": tokens})
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "input"
    assert "'input'" in error.message
    assert "check_embedding_ctx_length=False" in error.message


def test_arrays_of_tokens_as_deep_as_json_goes_do_not_break_the_check() -> None:
    deep: list[Any] = [1]
    for _ in range(1000):
        deep = [deep]
    assert refused({"input": deep}).param == "input"


@pytest.mark.parametrize("body", [None, [], "input", 5])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert isinstance(refused(body), InvalidRequest)


def test_input_is_required() -> None:
    assert refused({"model": "m"}).param == "input"


@pytest.mark.parametrize("name", ["model", "dimensions", "encoding_format", "user"])
def test_null_means_absent(name: str) -> None:
    loaded = load({"input": "x", name: None})
    assert loaded.request == {"input": ["x"]}
    assert loaded.ignored == ()


def test_what_no_engine_sees_is_told() -> None:
    loaded = load({"input": "x", "truncate": True, "input_type": "query"})
    assert loaded.ignored == ("input_type", "truncate")
