"""Requests for embeddings to both kinds of engine, and what comes back of them."""

import base64
import json
import struct
from typing import Any

import orjson
import pytest

from tensoria.errors import (
    BackendError,
    ContextLengthExceeded,
    InvalidRequest,
    ModelLoadFailed,
    ModelNotFound,
    TensoriaError,
    UnsupportedParameter,
)
from tensoria.translate.embeddings import (
    can_embed,
    cannot_embed,
    does_not_chat,
    from_ollama,
    from_openai,
    to_base64,
    to_embedding_error,
    to_embedding_list,
    to_ollama,
    to_openai,
    trained_context,
)
from tensoria.wire.openai import EmbeddingRequest


def request(*texts: str, **fields: Any) -> EmbeddingRequest:
    return {"input": list(texts or ("a",)), **fields}  # type: ignore[typeddict-item]


def ollama_answer(*vectors: Any, **members: Any) -> bytes:
    return orjson.dumps({"model": "m", "embeddings": vectors, "prompt_eval_count": 3, **members})


def openai_answer(*vectors: Any, usage: Any = None) -> bytes:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return orjson.dumps({"object": "list", "data": data, "usage": usage})


def test_ollama_is_told_not_to_cut_and_gets_no_context_where_chat_gives_none() -> None:
    body = to_ollama(request("a", "b"), model="m", keep_alive="5m", context_length=None)
    assert body == {"model": "m", "input": ["a", "b"], "truncate": False, "keep_alive": "5m"}


def test_ollama_gets_dimensions_and_the_context_that_chat_sends() -> None:
    sent = request("a", dimensions=8, encoding_format="base64", user="u")
    body = to_ollama(sent, model="m", keep_alive=-1, context_length=2048)
    assert body == {
        "model": "m",
        "input": ["a"],
        "truncate": False,
        "keep_alive": -1,
        "dimensions": 8,
        "options": {"num_ctx": 2048},
    }


def test_another_engine_gets_what_openai_would_get() -> None:
    sent = request("a", "b", encoding_format="base64", user="u")
    assert to_openai(sent, model="m") == {"model": "m", "input": ["a", "b"]}
    sent["dimensions"] = 8
    assert to_openai(sent, model="m") == {"model": "m", "input": ["a", "b"], "dimensions": 8}


def test_vectors_keep_the_order_of_the_inputs() -> None:
    found = from_ollama(ollama_answer([1.0, 2], [3.0, 4.5]), request("a", "b"))
    assert found == ([[1.0, 2], [3.0, 4.5]], 3)


def test_vectors_are_put_in_order_by_their_index() -> None:
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    answer = orjson.dumps({"data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}})
    assert from_openai(answer, request("a", "b")) == ([[1.0], [2.0]], 7)


@pytest.mark.parametrize("usage", [None, [], {}, {"prompt_tokens": None}])
def test_a_count_that_is_not_told_is_zero(usage: object) -> None:
    assert from_openai(openai_answer([1.0], usage=usage), request())[1] == 0
    assert from_ollama(orjson.dumps({"embeddings": [[1.0]]}), request())[1] == 0


# (name, embeddings for one text)
WRONG: list[tuple[str, Any]] = [
    ("none", []),
    ("two", [[1.0], [1.0]]),
    ("an empty vector", [[]]),
    ("null in place of NaN", [[1.0, None]]),
    ("text in a vector", [["1.0"]]),
    ("a boolean in a vector", [[True]]),
    ("a vector in a vector", [[[1.0]]]),
    ("null", [None]),
    ("text", ["AACAPw=="]),
    ("a number", [1.0]),
    ("beyond float32", [[1e39]]),
    ("beyond float32 below", [[0.0, -1e39]]),
    ("a whole number beyond float32", [[2**63, 1e300]]),
]


@pytest.mark.parametrize(("_name", "vectors"), WRONG, ids=[row[0] for row in WRONG])
def test_anything_but_one_vector_an_input_is_the_engines_error(_name: str, vectors: Any) -> None:
    for answer, read in (
        (ollama_answer(*vectors), from_ollama),
        (openai_answer(*vectors), from_openai),
    ):
        with pytest.raises(BackendError):
            read(answer, request())


@pytest.mark.parametrize("read", [from_ollama, from_openai])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"embeddings":{}}',
        b'{"data":{},"embeddings":5}',
        b'{"data":5}',
        b'{"data":"x"}',
        b'{"data":[5]}',
        b'{"data":[{"index":[]}]}',
        b'{"data":[{"index":1,"embedding":[1.0]}]}',
        b'{"data":[{"embedding":[1.0]}]}',
        b'{"embeddings":[[NaN]],"data":[{"index":0,"embedding":[NaN]}]}',
        b'{"embeddings":[[1e999]],"data":[{"index":0,"embedding":[1e999]}]}',
    ],
)
def test_an_answer_that_cannot_be_read_is_the_engines_error(read: Any, answer: bytes) -> None:
    with pytest.raises(BackendError) as caught:
        read(answer, request())
    assert type(caught.value) is BackendError


def test_two_vectors_with_one_index_are_the_engines_error() -> None:
    data = [{"index": 0, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    with pytest.raises(BackendError):
        from_openai(orjson.dumps({"data": data}), request("a", "b"))


def test_vectors_of_different_lengths_are_the_engines_error() -> None:
    with pytest.raises(BackendError, match="different lengths"):
        from_ollama(ollama_answer([1.0], [1.0, 2.0]), request("a", "b"))


@pytest.mark.parametrize(
    ("dimensions", "vector"),
    [
        (4, [3.0, 4.0, 12.0, 84.0]),
        (3, [3 / 13, 4 / 13, 12 / 13]),
        (2, [0.6, 0.8]),
        (1, [1.0]),
    ],
)
def test_dimensions_that_an_engine_ignored_are_cut_and_normalised(
    dimensions: int, vector: list[float]
) -> None:
    answer = ollama_answer([3.0, 4.0, 12.0, 84.0])
    ((found,), _) = from_ollama(answer, request(dimensions=dimensions))
    assert found == pytest.approx(vector)


def test_a_vector_whose_first_numbers_are_zero_cannot_be_normalised() -> None:
    assert from_ollama(ollama_answer([0.0, 1.0]), request(dimensions=1))[0] == [[0.0]]


def test_dimensions_that_the_model_has_not_are_refused_with_the_number_that_it_has() -> None:
    with pytest.raises(InvalidRequest, match="have 2") as caught:
        from_ollama(ollama_answer([0.6, 0.8]), request(dimensions=3))
    assert caught.value.param == "dimensions"


def test_answer_in_numbers() -> None:
    assert to_embedding_list([[0.5], [1]], 4, model="m", base64=False) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5]},
            {"object": "embedding", "index": 1, "embedding": [1]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }


def test_answer_in_base64() -> None:
    answer = to_embedding_list([[1.0, -2.0]], 4, model="m", base64=True)
    assert answer["data"][0]["embedding"] == "AACAPwAAAMA="


def test_base64_is_little_endian_float32() -> None:
    vector = [0.1, -0.062694795, 1, 0.0, 3.4028234663852886e38]
    found = struct.unpack("<5f", base64.b64decode(to_base64(vector)))
    assert found == pytest.approx(vector, rel=1e-7)


def told(text: str, **members: Any) -> bytes:
    return json.dumps({"error": {"message": text, **members} if members else text}).encode()


LLAMA_501 = "This server does not support embeddings. Start it with `--embeddings`"
OVER_BATCH = (
    "input (600 tokens) is too large to process. "
    "increase the physical batch size (current batch size: 512)"
)
VLLM = (
    "This model's maximum context length is 512 tokens. "
    "However, you requested 600 tokens in the input for embedding generation."
)
# (status, body, class, code, param, words of the message)
ERRORS: list[tuple[int, bytes, type[TensoriaError], str, str | None, str]] = [
    (501, told(LLAMA_501), UnsupportedParameter, "unsupported_parameter", "model", "'m' does not"),
    (501, b"", UnsupportedParameter, "unsupported_parameter", "model", "'m' does not support"),
    (
        500,
        told("this model does not support embeddings"),
        UnsupportedParameter,
        "unsupported_parameter",
        "model",
        "all-minilm",
    ),
    (
        400,
        told("The model does not support Embeddings API", type="BadRequestError", code=400),
        UnsupportedParameter,
        "unsupported_parameter",
        "model",
        "'m' does not support embeddings",
    ),
    (
        400,
        told("the input length exceeds the context length"),
        ContextLengthExceeded,
        "context_length_exceeded",
        "input",
        "is 256 tokens. However, your input resulted in more tokens.",
    ),
    (
        400,
        told("input length exceeds maximum context length"),
        ContextLengthExceeded,
        "context_length_exceeded",
        "input",
        "is 256 tokens",
    ),
    (
        500,
        told("input exceeds maximum context length"),
        ContextLengthExceeded,
        "context_length_exceeded",
        "input",
        "is 256 tokens",
    ),
    (
        400,
        told(VLLM, type="BadRequestError"),
        ContextLengthExceeded,
        "context_length_exceeded",
        "input",
        "is 512 tokens. However, your input resulted in 600 tokens.",
    ),
    (
        500,
        told(OVER_BATCH, code=500, type="server_error"),
        ContextLengthExceeded,
        "context_length_exceeded",
        "input",
        "is 512 tokens. However, your input resulted in 600 tokens.",
    ),
    (
        500,
        told("input is too large to process. increase the physical batch size", code=500),
        ContextLengthExceeded,
        "context_length_exceeded",
        "input",
        "is 256 tokens. However, your input resulted in more tokens.",
    ),
    (400, told("embedding contains NaN or Inf values"), BackendError, "engine_error", None, "NaN"),
    (
        400,
        told('do embedding request: Post "http://127.0.0.1:3999/embedding": EOF'),
        BackendError,
        "engine_error",
        None,
        "reported an error",
    ),
    (400, told("invalid input type"), InvalidRequest, "invalid_request", None, "invalid input"),
    (
        404,
        told('model "nope" not found, try pulling it first'),
        ModelNotFound,
        "model_not_found",
        "model",
        "nope",
    ),
    (
        500,
        told("model requires more system memory (9.1 GiB)"),
        ModelLoadFailed,
        "model_load_failed",
        None,
        "memory",
    ),
    (502, b"<html>", BackendError, "engine_error", None, "status 502"),
]


@pytest.mark.parametrize(
    ("status", "answer", "kind", "code", "param", "says"),
    ERRORS,
    ids=[f"{row[0]} {row[1][:60]!r}" for row in ERRORS],
)
def test_error_of_an_engine(
    status: int,
    answer: bytes,
    kind: type[TensoriaError],
    code: str,
    param: str | None,
    says: str,
) -> None:
    error = to_embedding_error(status, answer, model="m", context=256)
    assert type(error) is kind
    assert (error.code, error.param) == (code, param)
    assert says in error.message
    assert "127.0.0.1" not in error.message


@pytest.mark.parametrize(
    ("capabilities", "can"),
    [
        (["embedding"], True),
        (["completion", "embedding"], True),
        (["completion", "tools"], False),
        ([], False),
        (None, True),
        ("nonsense", True),
    ],
)
def test_a_model_may_embed_unless_it_says_that_it_cannot(capabilities: Any, can: bool) -> None:
    entry: Any = {"name": "m", "modified_at": "", "capabilities": capabilities}
    assert can_embed(entry) is can


def test_a_model_of_an_engine_that_tells_no_capabilities_may_embed() -> None:
    assert can_embed({"name": "m", "modified_at": ""})


@pytest.mark.parametrize(
    ("details", "tokens"),
    [
        ({"context_length": 512}, 512),
        ({"context_length": "512"}, None),
        ({}, None),
        (None, None),
        ("x", None),
        ([], None),
    ],
)
def test_trained_context_is_told_by_the_list_or_not_at_all(
    details: Any, tokens: int | None
) -> None:
    entry: Any = {"name": "m", "modified_at": "", "details": details}
    assert trained_context(entry) == tokens


def test_a_model_that_cannot_embed_may_come_with_what_would_bring_one() -> None:
    assert cannot_embed("m").message.endswith("such as all-minilm.")
    assert cannot_embed("m", " Do this.").message.endswith("such as all-minilm. Do this.")
    error = to_embedding_error(501, b"", model="m", how_to_get=" Do this.")
    assert error.message.endswith("such as all-minilm. Do this.")


def test_a_model_that_only_embeds_is_named_with_its_endpoint() -> None:
    """A name of any length cannot flood a log."""
    error = does_not_chat("m" * 500)
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "model")
    assert error.message == (
        f"The model '{'m' * 100}' does not chat: it was made for POST /v1/embeddings."
    )
