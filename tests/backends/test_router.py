"""Two engines behind one backend: which of them is asked for what."""

from collections.abc import Callable, Iterator

import pytest

from tensoria.app import create_backend
from tensoria.backends.base import Backend, Embedded, Explained
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.translate.traits import Traits
from tensoria.wire.openai import Model
from tests.backends.conftest import ANSWER
from tests.backends.fake_openai import CHAT, event, events, speak_openai
from tests.fake_ollama import FakeOllama, answer_json, answer_text, close

CHATS, EMBEDS = "smollm2:135m", "all-minilm"
EMBEDDINGS, MODELS = "/v1/embeddings", "/v1/models"
VECTOR = answer_json(
    {"data": [{"index": 0, "embedding": [0.6, 0.8]}], "usage": {"prompt_tokens": 3}}
)
CANNOT = answer_json(
    {"error": {"code": 501, "message": "This server does not support embeddings."}}, 501
)
Ask = Callable[[Backend, str | None], object]


@pytest.fixture
def second() -> Iterator[FakeOllama]:
    """The engine that embeds."""
    with FakeOllama() as engine:
        speak_openai(engine, EMBEDS, owned_by="llamacpp", aliases=[EMBEDS, "all-minilm:l6-v2"])
        engine.script(EMBEDDINGS, VECTOR)
        yield engine


@pytest.fixture
def settings(fake: FakeOllama, second: FakeOllama) -> dict[str, str]:
    """The engine that chats, and the one that embeds beside it."""
    speak_openai(fake, CHATS)
    fake.script(EMBEDDINGS, CANNOT)
    fake.script("/v1/completions", events(event(choices=[{"index": 0, "text": "x"}])))
    return {
        "ENGINE": "openai",
        "ENGINE_BASE_URL": fake.url,
        "ENGINE_API_KEY": "engine-key",
        "EMBEDDINGS_BASE_URL": second.url,
        "DEFAULT_MODEL": CHATS,
    }


@pytest.fixture
def backend(settings: dict[str, str]) -> Backend:
    return create_backend(Settings.from_env(settings))


def chat(backend: Backend, model: str | None) -> str:
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
    opened = backend.chat({**body, **({"model": model} if model else {})}, ANSWER)  # type: ignore[typeddict-item]
    try:
        chunks = [chunk for block in opened for chunk in block]
    finally:
        opened.close()
    return "".join(c["delta"].get("content", "") for chunk in chunks for c in chunk["choices"])


def complete(backend: Backend, model: str | None) -> None:
    body = {"prompt": ["Hi"], **({"model": model} if model else {})}
    backend.complete(body, ANSWER).close()  # type: ignore[arg-type]


def embed(backend: Backend, model: str | None) -> Embedded:
    body = {"input": ["Hi"], **({"model": model} if model else {})}
    return backend.embed(body)  # type: ignore[arg-type]


def look_up(backend: Backend, model: str | None) -> Model:
    return backend.model(str(model))


def traits(backend: Backend, model: str | None) -> Traits:
    return backend.traits(model)


def failure(ask: Ask, backend: Backend, model: str | None) -> TensoriaError:
    with pytest.raises(TensoriaError) as caught:
        ask(backend, model)
    return caught.value


def test_embeddings_come_from_the_engine_that_embeds(
    fake: FakeOllama, second: FakeOllama, backend: Backend
) -> None:
    assert embed(backend, EMBEDS) == Embedded(EMBEDS, [[0.6, 0.8]], 3)
    assert second.received(EMBEDDINGS)[0].json == {"model": EMBEDS, "input": ["Hi"]}
    assert fake.received(EMBEDDINGS) == []


@pytest.mark.parametrize("name", ["All-MiniLM", "all-minilm:latest", "all-minilm:l6-v2"])
def test_its_model_is_known_in_any_spelling_and_by_its_aliases(backend: Backend, name: str) -> None:
    assert embed(backend, name).model == EMBEDS
    assert backend.model(name)["id"] == EMBEDS


def test_both_are_asked_with_the_same_key(
    fake: FakeOllama, second: FakeOllama, backend: Backend
) -> None:
    backend.models()
    for engine in (fake, second):
        assert engine.received(MODELS)[0].headers["authorization"] == "Bearer engine-key"


def test_a_chat_does_not_touch_the_engine_that_embeds(second: FakeOllama, backend: Backend) -> None:
    assert chat(backend, CHATS) == "Hello"
    complete(backend, CHATS)
    assert second.requests == []


@pytest.mark.parametrize("ask", [chat, complete])
def test_a_chat_with_a_model_that_embeds_is_refused(
    fake: FakeOllama, second: FakeOllama, backend: Backend, ask: Ask
) -> None:
    error = failure(ask, backend, EMBEDS)
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "model")
    assert error.message == (
        "The model 'all-minilm' does not chat: it was made for POST /v1/embeddings."
    )
    assert [engine.received(CHAT) for engine in (fake, second)] == [[], []]


def test_a_chat_without_a_model_is_refused_where_the_default_one_embeds(
    settings: dict[str, str],
) -> None:
    backend = create_backend(Settings.from_env({**settings, "DEFAULT_MODEL": EMBEDS}))
    assert "'all-minilm' does not chat" in failure(chat, backend, None).message
    assert embed(backend, None).vectors == [[0.6, 0.8]]


@pytest.mark.parametrize("model", [CHATS, None])
def test_a_model_that_chats_and_does_not_embed_is_a_clear_400(
    backend: Backend, model: str | None
) -> None:
    error = failure(embed, backend, model)
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "model")
    assert "'smollm2:135m' does not support embeddings" in error.message
    assert "such as all-minilm" in error.message


def test_a_model_of_the_first_engine_that_embeds_goes_on_doing_it(
    fake: FakeOllama, second: FakeOllama, backend: Backend
) -> None:
    fake.script(EMBEDDINGS, VECTOR)
    assert embed(backend, CHATS).model == CHATS
    assert second.received(EMBEDDINGS) == []


@pytest.mark.parametrize("ask", [chat, complete, embed, look_up, traits])
def test_a_model_of_neither_is_missing_with_the_names_of_both(backend: Backend, ask: Ask) -> None:
    error = failure(ask, backend, "all-minilm:33m")
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert "Installed and near it: all-minilm." in error.message
    assert "Installed and near it: smollm2:135m." in failure(ask, backend, "smollm2:1.7b").message


def test_each_engine_tells_of_its_own_models(backend: Backend) -> None:
    assert backend.traits(None) == Traits("openai", CHATS)
    assert backend.traits("all-minilm:l6-v2") == Traits("llamacpp", EMBEDS)


def test_lists_are_one_list_with_the_chats_first(backend: Backend) -> None:
    assert [model["id"] for model in backend.models()] == [CHATS, EMBEDS]
    assert backend.model(CHATS)["id"] == CHATS


def test_a_name_that_both_have_is_listed_once_and_embeds_in_the_second(
    fake: FakeOllama, second: FakeOllama, backend: Backend
) -> None:
    speak_openai(fake, CHATS, EMBEDS.upper())
    assert [model["id"] for model in backend.models()] == [CHATS, EMBEDS.upper()]
    assert embed(backend, EMBEDS).model == EMBEDS
    assert chat(backend, EMBEDS) == "Hello"


def test_both_answering_is_ready(backend: Backend) -> None:
    status = backend.status()
    assert (status.kind, status.warnings) == ("openai", ())


def test_without_a_model_that_embeds_it_is_ready_with_a_warning(
    second: FakeOllama, backend: Backend
) -> None:
    speak_openai(second)
    assert backend.status().warnings == (
        "The embeddings engine (EMBEDDINGS_BASE_URL): it offers no model.",
    )


def test_the_first_engines_warnings_stay(settings: dict[str, str]) -> None:
    backend = create_backend(Settings.from_env({**settings, "DEFAULT_MODEL": "mistral"}))
    (warning,) = backend.status().warnings
    assert warning.startswith("DEFAULT_MODEL: The model 'mistral' does not exist.")


def test_without_the_first_engine_it_is_not_ready(fake: FakeOllama, backend: Backend) -> None:
    fake.script(MODELS, close)
    with pytest.raises(TensoriaError):
        backend.status()


def test_without_the_second_engine_it_is_not_ready_and_says_which(
    second: FakeOllama, backend: Backend
) -> None:
    second.script(MODELS, answer_text("starting", 503))
    with pytest.raises(TensoriaError) as caught:
        backend.status()
    assert caught.value.status in (502, 503)
    assert caught.value.message.startswith("The embeddings engine (EMBEDDINGS_BASE_URL): The ")


def test_a_chat_goes_on_without_the_engine_that_embeds(
    second: FakeOllama, backend: Backend
) -> None:
    second.script(MODELS, close)
    assert chat(backend, CHATS) == "Hello"


@pytest.mark.parametrize("ask", [chat, embed])
def test_an_engine_that_is_down_is_never_a_missing_model(
    second: FakeOllama, backend: Backend, ask: Ask
) -> None:
    second.script(MODELS, close)
    assert failure(ask, backend, EMBEDS).status in (502, 503)


@pytest.mark.parametrize(("ask", "model"), [(chat, CHATS), (embed, EMBEDS)])
def test_a_dry_run_asks_neither_engine(
    fake: FakeOllama, second: FakeOllama, backend: Backend, ask: Ask, model: str
) -> None:
    with pytest.raises(Explained) as caught:
        ask(backend.dry(), model)

    assert caught.value.path == ("/chat/completions" if ask is chat else "/embeddings")
    assert fake.received(CHAT) == []
    assert second.received(EMBEDDINGS) == []


def test_the_engine_that_chats_stands_for_both(backend: Backend) -> None:
    assert backend.traits_of_engine() == Traits("openai", "")


def test_an_alias_leads_to_the_engine_that_has_its_model(settings: dict[str, str]) -> None:
    aliases = f"text-embedding-3-small={EMBEDS},gpt-4o={CHATS}"
    backend = create_backend(Settings.from_env({**settings, "MODEL_ALIASES": aliases}))

    assert embed(backend, "text-embedding-3-small").model == EMBEDS
    assert chat(backend, "gpt-4o") == "Hello"
    assert [(m["id"], m.get("alias_of")) for m in backend.models()] == [
        (CHATS, None),
        ("gpt-4o", CHATS),
        (EMBEDS, None),
        ("text-embedding-3-small", EMBEDS),
    ]
    assert backend.status().warnings == ()


def test_an_alias_that_neither_engine_knows_is_a_warning_that_names_both(
    settings: dict[str, str],
) -> None:
    backend = create_backend(Settings.from_env({**settings, "MODEL_ALIASES": "gpt-4o=mistral"}))
    (warning,) = backend.status().warnings

    assert "'gpt-4o' stands for 'mistral'" in warning
    assert failure(chat, backend, "gpt-4o").message == warning


def test_a_model_is_known_by_the_name_at_the_engine_that_has_it(backend: Backend) -> None:
    assert backend.resolve(CHATS) == CHATS
    assert backend.resolve("all-minilm:l6-v2", embeds=True) == EMBEDS
    assert backend.resolve(CHATS, embeds=True) == CHATS
    assert failure(lambda each, name: each.resolve(name), backend, EMBEDS).status == 400
    missing = failure(lambda each, name: each.resolve(name, embeds=True), backend, "nothing")
    assert (missing.status, missing.code) == (404, "model_not_found")


def test_a_count_is_asked_of_the_engine_that_chats(
    fake: FakeOllama, settings: dict[str, str]
) -> None:
    speak_openai(fake, CHATS, owned_by="llamacpp")
    fake.script("/apply-template", answer_json({"prompt": "Hi"}))
    fake.script("/tokenize", answer_json({"tokens": [1, 2]}))
    backend = create_backend(Settings.from_env(settings))

    assert backend.count({"model": CHATS, "messages": [{"role": "user", "content": "Hi"}]}) == 2


def test_a_count_with_a_model_that_embeds_is_refused(backend: Backend) -> None:
    with pytest.raises(TensoriaError) as caught:
        backend.count({"model": EMBEDS, "messages": [{"role": "user", "content": "Hi"}]})

    assert caught.value.param == "model"
