import pytest
import responses

from tensoria.cli.discovery import Found, find_engine
from tensoria.cli.failures import CommandError
from tensoria.config import Settings
from tests.fake_ollama import FakeOllama, answer_json, answer_text, close, model_entry


def find(**environ: str) -> Found | None:
    return find_engine(environ, Settings.from_env(environ))


def find_by_default(fake: FakeOllama) -> Found | None:
    """Look at an address that no variable names, as the default one is."""
    settings = Settings.from_env({"OLLAMA_BASE_URL": fake.url})
    return find_engine({}, settings)


def test_ollama_is_found_with_its_version_and_models(fake: FakeOllama) -> None:
    fake.script("/api/version", answer_json({"version": "0.32.15"}))
    fake.script("/api/tags", answer_json({"models": [model_entry("mistral:latest")]}))
    found = find(OLLAMA_BASE_URL=fake.url)
    assert found == Found(f"Ollama 0.32.15 at {fake.url}", ("mistral:latest",))


def test_ollama_without_a_model_is_found_all_the_same(fake: FakeOllama) -> None:
    fake.script("/api/tags", answer_json({"models": []}))
    found = find(OLLAMA_BASE_URL=fake.url)
    assert found is not None
    assert found.models == ()


def test_ollama_that_does_not_list_is_found_without_models(fake: FakeOllama) -> None:
    fake.script("/api/tags", answer_text("busy", status=500))
    found = find(OLLAMA_BASE_URL=fake.url)
    assert found is not None
    assert found.models is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, "<html>hello</html>", id="a web page"),
        pytest.param(200, '["0.9.6"]', id="a JSON array"),
        pytest.param(200, '{"name": "something else"}', id="JSON without a version"),
        pytest.param(200, '{"version": 1}', id="a version that is no text"),
        pytest.param(404, '{"version": "0.9.6"}', id="a version nobody meant"),
        pytest.param(503, "", id="an error"),
    ],
)
def test_other_service_on_ollamas_port_is_no_ollama(status: int, body: str) -> None:
    with responses.RequestsMock() as service:
        service.get("http://127.0.0.1:11434/api/version", status=status, body=body)
        assert find_engine({}, Settings.from_env({})) is None


def test_service_that_hangs_up_is_no_ollama(fake: FakeOllama) -> None:
    fake.script("/api/version", close)
    assert find_by_default(fake) is None


def test_nothing_there_and_nothing_asked_for_is_none(port: int) -> None:
    settings = Settings.from_env({"OLLAMA_PORT": str(port)})
    assert find_engine({}, settings) is None


def test_address_set_by_hand_must_answer(port: int) -> None:
    with pytest.raises(CommandError) as raised:
        find(OLLAMA_BASE_URL=f"http://127.0.0.1:{port}")
    assert str(raised.value) == (
        f"OLLAMA_BASE_URL is set, and no Ollama answers at http://127.0.0.1:{port}. "
        "Start it, or use the demo model with `tensoria up --embedded`."
    )


def test_port_set_by_hand_must_answer(port: int) -> None:
    with pytest.raises(CommandError, match=f"^OLLAMA_PORT is set, .* at http://127.0.0.1:{port}"):
        find(OLLAMA_PORT=str(port))


def test_ollama_chosen_by_hand_must_answer(port: int) -> None:
    settings = Settings.from_env({"OLLAMA_PORT": str(port)})
    with pytest.raises(CommandError, match=r"^ENGINE is set"):
        find_engine({"ENGINE": "ollama"}, settings)


def test_engine_that_speaks_openai_is_found(fake: FakeOllama) -> None:
    fake.script("/v1/models", answer_json({"data": [{"id": "qwen3"}]}))
    found = find(ENGINE="openai", ENGINE_BASE_URL=fake.url, ENGINE_LABEL="vLLM")
    assert found == Found(f"vLLM at {fake.url}/v1", ("qwen3",))


def test_engine_that_does_not_list_its_models_is_found(fake: FakeOllama) -> None:
    """A wrong key is told by /ready, where it is seen for longer."""
    fake.script("/v1/models", answer_text("no", status=401))
    found = find(ENGINE="openai", ENGINE_BASE_URL=f"{fake.url}/v1")
    assert found == Found(f"OpenAI-compatible engine at {fake.url}/v1", None)


def test_models_that_only_embed_are_not_counted(fake: FakeOllama) -> None:
    fake.script(
        "/api/tags",
        answer_json(
            {
                "models": [
                    model_entry("all-minilm:l6-v2", capabilities=("embedding",)),
                    model_entry("qwen3:4b", capabilities=("completion", "tools")),
                ]
            }
        ),
    )
    found = find(OLLAMA_BASE_URL=fake.url)
    assert found is not None
    assert found.models == ("qwen3:4b",)


@pytest.mark.parametrize("odd", ["text", None, {}, {"name": None}, {"name": 5}])
def test_entries_without_a_name_are_not_counted(fake: FakeOllama, odd: object) -> None:
    fake.script("/api/tags", answer_json({"models": [odd, model_entry("mistral:latest")]}))
    found = find(OLLAMA_BASE_URL=fake.url)
    assert found is not None
    assert found.models == ("mistral:latest",)


def test_model_that_tells_no_capabilities_is_counted(fake: FakeOllama) -> None:
    entry = {**model_entry("mistral:latest"), "capabilities": None}
    fake.script("/api/tags", answer_json({"models": [entry]}))
    found = find(OLLAMA_BASE_URL=fake.url)
    assert found is not None
    assert found.models == ("mistral:latest",)


@pytest.mark.parametrize("key", ["engine-key", "ключ"])
def test_engine_is_asked_with_its_key(fake: FakeOllama, key: str) -> None:
    fake.script("/v1/models", answer_json({"data": []}))
    find(ENGINE="openai", ENGINE_BASE_URL=fake.url, ENGINE_API_KEY=key)
    (request,) = [seen for seen in fake.requests if seen.path == "/v1/models"]
    assert request.headers["authorization"].encode("latin-1") == f"Bearer {key}".encode()


def test_engine_that_speaks_openai_must_answer(port: int) -> None:
    with pytest.raises(CommandError, match=f"^ENGINE_BASE_URL is set, .*:{port}"):
        find(ENGINE="openai", ENGINE_BASE_URL=f"http://127.0.0.1:{port}")


def test_engine_with_an_error_of_its_own_does_not_count(fake: FakeOllama) -> None:
    fake.script("/v1/models", answer_text("down", status=502))
    with pytest.raises(CommandError):
        find(ENGINE="openai", ENGINE_BASE_URL=fake.url)
