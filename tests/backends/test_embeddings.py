"""Embeddings by both kinds of engine: what goes on the wire, limits and refusals."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tensoria.backends.base import Embedded
from tensoria.backends.llama_cpp import MAX_STREAMS
from tensoria.backends.ollama import OllamaBackend
from tensoria.backends.ollama_models import MAX_AGE_ON_A_MISS_SECONDS
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.config import EMBEDDED_LABEL, Settings
from tensoria.errors import TensoriaError
from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import (
    FAULTS,
    Exchange,
    FakeOllama,
    Handler,
    answer_json,
    answer_text,
    close,
    embedding,
    hang,
    model_entry,
)

MODEL = "all-minilm:l6-v2"
TOO_LONG = answer_json({"error": "the input length exceeds the context length"}, 400)
Make = Callable[..., OllamaBackend]
MakeOpenAI = Callable[..., OpenAIBackend]


@pytest.fixture(autouse=True)
def _models(fake: FakeOllama) -> None:
    fake.models = [
        model_entry(MODEL, capabilities=("embedding",), context_length=512),
        model_entry(),
    ]


@pytest.fixture
def make_openai(fake: FakeOllama) -> MakeOpenAI:
    """Build the other backend in front of the fake; keywords are settings."""
    speak_openai(fake, MODEL)

    def build(**variables: str) -> OpenAIBackend:
        return OpenAIBackend(
            Settings.from_env({"ENGINE": "openai", "ENGINE_BASE_URL": fake.url, **variables})
        )

    return build


def embed(backend: OllamaBackend | OpenAIBackend, *texts: str, **fields: Any) -> Embedded:
    return backend.embed({"input": list(texts or ("Hi",)), "model": MODEL, **fields})  # type: ignore[typeddict-item]


def failure(backend: OllamaBackend | OpenAIBackend, **fields: Any) -> TensoriaError:
    with pytest.raises(TensoriaError) as caught:
        embed(backend, **fields)
    return caught.value


def sent(fake: FakeOllama, path: str = "/api/embed") -> dict[str, Any]:
    body: dict[str, Any] = fake.received(path)[-1].json
    return body


def test_what_goes_up_to_ollama(fake: FakeOllama, make_backend: Make) -> None:
    embed(make_backend(), "a", "b")
    assert sent(fake) == {
        "model": MODEL,
        "input": ["a", "b"],
        "truncate": False,
        "keep_alive": "5m",
    }


def test_keep_alive_and_context_are_those_of_a_chat(fake: FakeOllama, make_backend: Make) -> None:
    backend = make_backend(OLLAMA_KEEP_ALIVE="-1", OLLAMA_CONTEXT_LENGTH="2048")
    embed(backend, dimensions=4)
    assert sent(fake)["keep_alive"] == -1
    assert sent(fake)["options"] == {"num_ctx": 2048}
    assert sent(fake)["dimensions"] == 4


def test_vectors_come_back_with_the_installed_name(fake: FakeOllama, make_backend: Make) -> None:
    found = embed(make_backend(), "a", "bc", model="ALL-minilm:L6-V2")
    assert found == Embedded(MODEL, [embedding("a"), embedding("bc")], 6)


@pytest.mark.parametrize("release", ["0.30.0", "0.32.15"])
def test_a_model_that_chats_is_refused_before_it_is_asked(release: str, make_backend: Make) -> None:
    with FakeOllama(release) as engine:
        engine.models = [model_entry()]
        error = failure(make_backend(OLLAMA_BASE_URL=engine.url), model="smollm2:135m")
        assert engine.received("/api/embed") == []
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "model")
    assert "'smollm2:135m' does not support embeddings" in error.message


@pytest.mark.parametrize("release", ["0.9.6", "0.24.0"])
def test_a_release_that_embeds_with_any_model_is_asked(release: str, make_backend: Make) -> None:
    with FakeOllama(release) as engine:
        engine.models = [model_entry()]
        found = embed(make_backend(OLLAMA_BASE_URL=engine.url), model="smollm2:135m")
    assert found.vectors == [embedding("Hi")]


@pytest.mark.parametrize(
    ("in_use", "told"), [(4096, "is 512 tokens"), (256, "is 256 tokens"), (0, "is 512 tokens")]
)
def test_overflow_names_the_smaller_of_the_trained_context_and_the_one_in_use(
    fake: FakeOllama, make_backend: Make, in_use: int, told: str
) -> None:
    fake.context_length = in_use
    fake.script("/api/embed", TOO_LONG)
    error = failure(make_backend(OLLAMA_CONTEXT_LENGTH="8192"))
    assert (error.status, error.code, error.param) == (400, "context_length_exceeded", "input")
    assert told in error.message


def test_overflow_is_told_when_nothing_else_can_be_asked(
    fake: FakeOllama, make_backend: Make
) -> None:
    def refuse_late(exchange: Exchange) -> None:
        # What /api/ps said at first is then too old to be told again.
        exchange.pause(MAX_AGE_ON_A_MISS_SECONDS + 0.05)
        TOO_LONG(exchange)

    fake.script("/api/embed", refuse_late)
    fake.script("/api/ps", answer_json({"models": [{"name": MODEL}]}), answer_text("no", 500))
    error = failure(make_backend())
    assert len(fake.received("/api/ps")) == 2
    assert error.code == "context_length_exceeded"
    assert "is 512 tokens" in error.message


def test_an_answer_that_stops_in_the_middle_is_a_timeout(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script("/api/embed", FAULTS["hang after a line"])
    assert failure(make_backend(STREAM_IDLE_TIMEOUT="0.2")).code == "timeout"


def test_every_fault_is_an_error_and_frees_the_connection(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend(OLLAMA_TIMEOUT="0.3", STREAM_IDLE_TIMEOUT="0.3")
    for name, fault in FAULTS.items():
        fake.script("/api/embed", fault)
        assert failure(backend).status in (502, 503, 504), name
    fake.script("/api/embed")
    assert embed(backend).vectors == [embedding("Hi")]


def test_what_goes_up_to_an_engine_that_speaks_openai(
    fake: FakeOllama, make_openai: MakeOpenAI
) -> None:
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    fake.script("/v1/embeddings", answer_json({"data": data, "usage": {"prompt_tokens": 4}}))
    found = embed(make_openai(), "a", "b", dimensions=1, encoding_format="base64", user="u")
    assert sent(fake, "/v1/embeddings") == {"model": MODEL, "input": ["a", "b"], "dimensions": 1}
    assert found == Embedded(MODEL, [[1.0], [2.0]], 4)


LLAMA_501 = "This server does not support embeddings. Start it with `--embeddings`"


@pytest.mark.parametrize(
    "refusal",
    [
        answer_json({"error": {"code": 501, "message": LLAMA_501}}, 501),
        answer_json({"detail": "Not Found"}, 404),
        answer_json({"detail": "Method Not Allowed"}, 405),
        answer_text("404 page not found", 404),
    ],
)
def test_an_engine_that_does_not_embed_is_a_clear_400(
    fake: FakeOllama, make_openai: MakeOpenAI, refusal: Handler
) -> None:
    """The first is the embedded engine, which is started for chats."""
    fake.script("/v1/embeddings", refusal)
    error = failure(make_openai())
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "model")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ENGINE_LABEL": EMBEDDED_LABEL}, True),
        ({"ENGINE_LABEL": EMBEDDED_LABEL, "EMBEDDINGS_BASE_URL": "http://127.0.0.1:1"}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("model", [MODEL, "text-embedding-3-small"])
def test_the_command_that_brings_embeddings_is_told_on_the_embedded_engine_alone(
    fake: FakeOllama, make_openai: MakeOpenAI, model: str, settings: dict[str, str], told: bool
) -> None:
    fake.script("/v1/embeddings", answer_json({"error": {"message": LLAMA_501}}, 501))
    error = failure(make_openai(**settings), model=model)
    assert error.status in (400, 404)
    assert ("`tensoria up --embeddings`" in error.message) is told


def test_embeddings_leave_llama_cpp_a_thread_for_its_health(
    fake: FakeOllama, make_openai: MakeOpenAI
) -> None:
    """Each request holds one of its 64, the waiting ones too."""
    backend = make_openai()
    speak_openai(fake, MODEL, owned_by="llamacpp")
    data = [{"index": 0, "embedding": [1.0]}]
    fake.script("/v1/embeddings", answer_json({"data": data}))
    with ExitStack() as taken:
        for _ in range(MAX_STREAMS):
            taken.enter_context(backend._threads.one())
        assert failure(backend).code == "overloaded"
    # What one gives back, the next takes.
    assert [embed(backend).vectors for _ in range(2)] == [[[1.0]], [[1.0]]]


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (answer_json({"error": {"message": "The model `x` does not exist."}}, 404), 404),
        (answer_json({"error": {"message": "it broke"}}, 500), 502),
        (answer_json({"data": []}), 502),
        (answer_json({"data": [{"index": 0, "embedding": "AACAPw=="}]}), 502),
        (close, 502),
        (hang, 504),
    ],
)
def test_a_failure_of_an_engine_that_speaks_openai(
    fake: FakeOllama, make_openai: MakeOpenAI, answer: Handler, seen: int
) -> None:
    fake.script("/v1/embeddings", answer)
    assert failure(make_openai(OLLAMA_TIMEOUT="0.3")).status == seen


def test_an_unknown_model_is_not_asked_of_an_engine_that_takes_any_name(
    fake: FakeOllama, make_openai: MakeOpenAI
) -> None:
    assert failure(make_openai(), model="nope").code == "model_not_found"
    assert fake.received("/v1/embeddings") == []
