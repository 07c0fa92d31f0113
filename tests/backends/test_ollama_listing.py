"""What /v1/models learns of an Ollama's models, and how little it asks for that."""

from collections.abc import Callable

import pytest

from tensoria.backends.ollama import OllamaBackend
from tests.fake_ollama import FakeOllama, answer_json, answer_text, hang, model_entry

Make = Callable[..., OllamaBackend]


def fifty(fake: FakeOllama) -> None:
    """Install fifty models, each with a digest of its own."""
    fake.models = [model_entry(f"m{n}:latest", digest=f"{n:064x}") for n in range(50)]


def own_context(fake: FakeOllama) -> None:
    """Have every model's own file name a context."""
    fake.script("/api/show", answer_json({"parameters": "num_ctx                        2048"}))


def test_fifty_models_cost_one_question_each_and_only_once(
    fake: FakeOllama, make_backend: Make
) -> None:
    fifty(fake)
    backend = make_backend()
    for _ in range(3):
        assert len(backend.models()) == 50

    assert len(fake.received("/api/show")) == 50
    assert len(fake.received("/api/ps")) == 1


def test_a_model_that_was_made_anew_is_asked_anew(
    fake: FakeOllama, make_backend: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensoria.backends.ollama_models.MAX_AGE_ON_A_MISS_SECONDS", 0)
    fake.loaded = []
    own_context(fake)
    backend = make_backend()
    before = backend.model("smollm2:135m")
    fake.script("/api/show", answer_json({"parameters": "num_ctx 1024"}))
    fake.models = [model_entry("smollm2:135m", digest="0" * 64), model_entry("new:latest")]
    # A name that is not known has the list read anew.
    backend.model("new")

    assert before["context_length"] == 2048
    assert backend.model("smollm2:135m")["context_length"] == 1024


@pytest.mark.parametrize(
    ("variables", "loaded", "expected"),
    [
        ({"OLLAMA_CONTEXT_LENGTH": "1024"}, ["smollm2:135m"], 1024),
        ({}, ["smollm2:135m"], 4096),
        ({}, [], 2048),
    ],
    ids=["configured", "in use", "of the file"],
)
def test_the_context_in_effect(
    fake: FakeOllama,
    make_backend: Make,
    variables: dict[str, str],
    loaded: list[str],
    expected: int,
) -> None:
    fake.loaded = loaded
    own_context(fake)

    assert make_backend(**variables).model("smollm2:135m")["context_length"] == expected


def test_a_context_that_nobody_tells_is_left_out(fake: FakeOllama, make_backend: Make) -> None:
    fake.loaded = []

    assert "context_length" not in make_backend().model("smollm2:135m")


def test_an_engine_that_is_slow_to_tell_does_not_hold_up_the_list(
    fake: FakeOllama, make_backend: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensoria.backends.ollama_listing.PATIENCE_SECONDS", 0.2)
    fifty(fake)
    fake.script("/api/show", hang)

    listed = make_backend().models()
    assert len(listed) == 50
    assert {model["trained_context_length"] for model in listed} == {8192}
    assert len(fake.received("/api/show")) == 1


def test_an_engine_that_tells_nothing_more_has_a_list_all_the_same(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.version = "0.24.0"
    fake.script("/api/show", answer_text("no", 500))
    fake.script("/api/ps", answer_text("no", 500))

    assert make_backend().models() == [
        {
            "id": "smollm2:135m",
            "object": "model",
            "created": 1_795_444_637,
            "owned_by": "library",
        }
    ]


def test_of_a_cloud_model_nothing_is_asked(fake: FakeOllama, make_backend: Make) -> None:
    """Its host would be."""
    model = make_backend(ALLOW_CLOUD_MODELS="1").model("gpt-oss:120b-cloud")

    assert model["id"] == "gpt-oss:120b-cloud"
    assert fake.received("/api/show") == []
