"""An engine of which a key may use some models."""

from collections.abc import Callable
from typing import Any

import pytest

from tensoria.backends.allowed import AllowedModels
from tensoria.backends.base import Backend, Explained
from tensoria.backends.ollama import OllamaBackend
from tensoria.errors import InvalidRequest, ModelNotFound
from tests.backends.conftest import ANSWER
from tests.fake_ollama import FakeOllama, model_entry

MakeBackend = Callable[..., OllamaBackend]
MESSAGES = [{"role": "user", "content": "Hi"}]

# Every way by which a name comes in.
WAYS: list[tuple[str, Callable[[Backend, Any], object]]] = [
    ("traits", lambda backend, name: backend.traits(name)),
    ("resolve", lambda backend, name: backend.resolve(name)),
    ("model", lambda backend, name: backend.model(name or "mistral")),
    ("chat", lambda backend, name: backend.chat({**_named(name), "messages": MESSAGES}, ANSWER)),  # type: ignore[typeddict-item]
    ("complete", lambda backend, name: backend.complete({**_named(name), "prompt": ["a"]}, ANSWER)),  # type: ignore[typeddict-item]
    ("count", lambda backend, name: backend.count({**_named(name), "messages": MESSAGES})),  # type: ignore[typeddict-item]
    ("embed", lambda backend, name: backend.embed({**_named(name), "input": ["a"]})),  # type: ignore[typeddict-item]
    (
        "dry",
        lambda backend, name: backend.dry().chat({**_named(name), "messages": MESSAGES}, ANSWER),
    ),  # type: ignore[typeddict-item]
]
EACH_WAY = pytest.mark.parametrize("way", [row[1] for row in WAYS], ids=[row[0] for row in WAYS])


def _named(name: str | None) -> dict[str, str]:
    return {} if name is None else {"model": name}


@pytest.fixture
def allowed(fake: FakeOllama, make_backend: MakeBackend) -> AllowedModels:
    """An Ollama with three models and an alias, of which one may be used."""
    fake.models = [model_entry(name) for name in ("mistral:latest", "smollm2:135m", "qwen3:8b")]
    backend = make_backend(
        DEFAULT_MODEL="mistral", MODEL_ALIASES="gpt-4o=qwen3:8b,small=smollm2:135m"
    )
    return AllowedModels(backend, frozenset({"smollm2:135m"}))


@EACH_WAY
@pytest.mark.parametrize("name", ["mistral", "qwen3:8b", "gpt-4o", "smollm3", None])
def test_other_models_do_not_exist_and_none_is_named(
    allowed: AllowedModels, way: Callable[[Backend, Any], object], name: str | None
) -> None:
    with pytest.raises(ModelNotFound, match="or you do not have access") as caught:
        way(allowed, name)

    # By its id alone a model cannot be left unnamed.
    named = f"The model '{name or 'mistral'}'"
    said = caught.value.message.removesuffix(" does not exist or you do not have access to it.")
    assert said in ({named} if name else {named, "The default model"})


@pytest.mark.parametrize("name", ["smollm2:135m", "SMOLLM2:135m", "small"])
def test_an_allowed_model_is_found_in_any_spelling_and_by_its_aliases(
    allowed: AllowedModels, name: str
) -> None:
    assert allowed.resolve(name) == "smollm2:135m"
    assert allowed.traits(name).model == "smollm2:135m"
    assert allowed.traits_of_engine().kind == "ollama"


def test_an_allowed_model_answers(allowed: AllowedModels) -> None:
    request: Any = {"model": "smollm2:135m", "messages": MESSAGES}
    stream = allowed.chat(request, ANSWER)
    try:
        assert sum(len(chunks) for chunks in stream) > 1
    finally:
        stream.close()
    dry = allowed.dry()
    for ask in (
        lambda: dry.chat(request, ANSWER),
        lambda: dry.complete({"model": "small", "prompt": ["a"]}, ANSWER),
    ):
        with pytest.raises(Explained):
            ask()


def test_the_list_has_what_is_allowed(allowed: AllowedModels) -> None:
    assert {model["id"] for model in allowed.models()} == {"small", "smollm2:135m"}
    assert allowed.model("small")["alias_of"] == "smollm2:135m"


def test_an_alias_that_is_allowed_opens_its_model_by_that_name_alone(
    fake: FakeOllama, make_backend: MakeBackend
) -> None:
    fake.models = [model_entry("qwen3:8b")]
    allowed = AllowedModels(
        make_backend(MODEL_ALIASES="gpt-4o=qwen3:8b"), frozenset({"gpt-4o:latest"})
    )

    assert allowed.resolve("gpt-4o") == "qwen3:8b"
    assert [model["id"] for model in allowed.models()] == ["gpt-4o"]
    with pytest.raises(ModelNotFound):
        allowed.resolve("qwen3:8b")


def test_the_default_model_is_one_like_others(fake: FakeOllama, make_backend: MakeBackend) -> None:
    fake.models = [model_entry("mistral:latest")]
    backend = make_backend(DEFAULT_MODEL="mistral")

    assert AllowedModels(backend, frozenset({"mistral:latest"})).resolve(None) == "mistral:latest"
    with pytest.raises(ModelNotFound, match=r"^The default model does not exist"):
        AllowedModels(backend, frozenset()).resolve(None)


def test_other_errors_keep_their_words(allowed: AllowedModels) -> None:
    with pytest.raises(InvalidRequest):
        allowed.resolve("x:cloud")


def test_the_engines_state_is_no_secret(allowed: AllowedModels) -> None:
    assert allowed.status().kind == "ollama"
