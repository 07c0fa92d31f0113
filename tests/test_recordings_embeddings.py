"""Recordings of /api/embed, against what the gateway makes of them."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.contract.embeddings import numbers
from tests.expectations import Embedded, NotEmbedded
from tests.expectations.checks import REPLAYED, Replay, check_refusal, each, gateway
from tests.fake_ollama import FakeOllama, Recording, model_entry

MODEL = "all-minilm:l6-v2"
ENCODED = pytest.mark.parametrize("encoding", ["float", "base64"])


def ask(recording: Recording, replayed: Replay, **fields: Any) -> tuple[TestResponse, FakeOllama]:
    with FakeOllama(recording.release) as fake:
        fake.models = [model_entry(MODEL, capabilities=("embedding",), context_length=512)]
        fake.context_length = 512
        fake.script("/api/embed", replayed(recording))
        return gateway(fake).post("/v1/embeddings", json={"model": MODEL, **fields}), fake


@each(Embedded)
@REPLAYED
@ENCODED
def test_text_is_embedded(
    recording: Recording, expected: Embedded, replayed: Replay, encoding: str
) -> None:
    asked = {"input": list(expected.inputs), "dimensions": expected.dimensions}
    response, fake = ask(recording, replayed, **asked, encoding_format=encoding)
    assert response.status_code == 200, response.get_data(as_text=True)
    body: Any = response.get_json()
    found = [entry["embedding"] for entry in body["data"]]
    vectors = [numbers(vector) for vector in found] if encoding == "base64" else found
    assert [entry["index"] for entry in body["data"]] == list(range(len(expected.inputs)))
    assert [len(vector) for vector in vectors] == [expected.length] * len(expected.inputs)
    for vector, first in zip(vectors, expected.firsts, strict=True):
        assert vector[:2] == pytest.approx(first, rel=1e-6)
    assert body["usage"] == {
        "prompt_tokens": expected.prompt_tokens,
        "total_tokens": expected.prompt_tokens,
    }
    assert fake.received("/api/embed")[0].json["truncate"] is False


@each(NotEmbedded)
@REPLAYED
def test_text_is_not_embedded(
    recording: Recording, expected: NotEmbedded, replayed: Replay
) -> None:
    response, _ = ask(recording, replayed, input="hello")
    check_refusal(response, expected.refusal)
