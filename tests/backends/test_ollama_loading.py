"""Models that are not in memory: loaded once, by the gateway, whoever comes and goes meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tensoria.backends import ollama_loading
from tensoria.backends.base import Explained
from tensoria.backends.limits import Total
from tensoria.backends.ollama import OllamaBackend
from tensoria.backends.ollama_client import OllamaClient
from tensoria.backends.ollama_loading import OllamaLoading
from tensoria.backends.ollama_models import OllamaModels
from tensoria.backends.transport import Transport
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.metrics.base import NullMetrics
from tests.backends.conftest import ANSWER
from tests.fake_ollama import (
    LOAD,
    Exchange,
    FakeOllama,
    Handler,
    Recording,
    answer_html,
    answer_json,
    chat_line,
    close,
    done_line,
    embedding,
    hang,
    model_entry,
    replay,
    stream,
)

CHATS, EMBEDS = "smollm2:135m", "all-minilm:l6-v2"
Make = Callable[..., OllamaBackend]


@pytest.fixture(autouse=True)
def _nothing_is_loaded(fake: FakeOllama) -> None:
    fake.models = [model_entry(CHATS), model_entry(EMBEDS, capabilities=("embedding",))]
    fake.loaded = []


def chat(backend: OllamaBackend, model: str = CHATS) -> str:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    opened = backend.chat(asked, ANSWER)
    try:
        chunks = [chunk for block in opened for chunk in block]
    finally:
        opened.close()
    return "".join(
        choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]
    )


def complete(backend: OllamaBackend) -> str:
    asked: Any = {"model": CHATS, "prompt": ["Hello"]}
    opened = backend.complete(asked, ANSWER)
    try:
        return "".join(c["choices"][0]["text"] for block in opened for c in block if c["choices"])
    finally:
        opened.close()


def embed(backend: OllamaBackend) -> list[list[float]]:
    asked: Any = {"model": EMBEDS, "input": ["Hi"]}
    return backend.embed(asked).vectors


def failure(ask: Callable[[], object]) -> TensoriaError:
    with pytest.raises(TensoriaError) as caught:
        ask()
    return caught.value


def at_once(*asked: Callable[[], object]) -> Callable[[], list[object]]:
    """Ask in a thread each; returns what waits for them and returns their answers or errors."""
    got: list[object] = [None] * len(asked)

    def ask(index: int) -> None:
        try:
            got[index] = asked[index]()
        except TensoriaError as error:
            got[index] = error

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(asked))]
    for thread in threads:
        thread.start()

    def answers() -> list[object]:
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        return got

    return answers


def loads_when(fake: FakeOllama, gate: threading.Event) -> None:
    """Have loads take until the gate opens."""

    def load(exchange: Exchange) -> None:
        exchange.wait_for(gate)
        fake.default(exchange.request)(exchange)

    fake.script(LOAD, load)


def loads(fake: FakeOllama) -> list[Any]:
    return [request.json for request in fake.received(LOAD)]


@pytest.mark.parametrize(
    ("ask", "answer", "path", "payload"),
    [
        (chat, "Hello", "/api/chat", {"messages": [], "shift": False}),
        (complete, " world", "/api/generate", {"prompt": "", "shift": False}),
        (embed, [embedding("Hi")], "/api/embed", {"input": []}),
    ],
)
def test_a_cold_model_is_loaded_and_then_asked(
    fake: FakeOllama,
    make_backend: Make,
    ask: Callable[[OllamaBackend], object],
    answer: object,
    path: str,
    payload: dict[str, Any],
) -> None:
    backend = make_backend(OLLAMA_CONTEXT_LENGTH="2048")
    assert [ask(backend), ask(backend)] == [answer, answer]

    (load,) = fake.received(LOAD)
    assert load.path == path
    assert load.json == {
        "model": EMBEDS if path == "/api/embed" else CHATS,
        "stream": False,
        "keep_alive": "5m",
        "options": {"num_ctx": 2048},
        **payload,
    }


@pytest.mark.parametrize("ask", [chat, complete, embed])
def test_a_loaded_model_is_just_asked(
    fake: FakeOllama, make_backend: Make, ask: Callable[[OllamaBackend], object]
) -> None:
    fake.loaded = None
    ask(make_backend())

    assert loads(fake) == []


def test_what_a_load_and_a_chat_say_of_the_model_is_the_same(
    fake: FakeOllama, make_backend: Make
) -> None:
    """Ollama would load the model anew for the chat otherwise."""
    chat(make_backend(OLLAMA_CONTEXT_LENGTH="2048", OLLAMA_KEEP_ALIVE="7m"))
    (load,) = loads(fake)
    (asked,) = [request.json for request in fake.received("/api/chat")]

    assert load["options"]["num_ctx"] == asked["options"]["num_ctx"] == 2048
    assert load["shift"] is asked["shift"] is False
    assert load["keep_alive"] == asked["keep_alive"] == "7m"


@pytest.mark.parametrize("keep_alive", ["0", "0s"])
def test_a_model_that_is_not_to_be_kept_is_loaded_and_not_unloaded(
    fake: FakeOllama, make_backend: Make, keep_alive: str
) -> None:
    assert chat(make_backend(OLLAMA_KEEP_ALIVE=keep_alive)) == "Hello"
    assert fake.loaded == [CHATS]


def test_many_who_come_at_once_wait_for_one_load(fake: FakeOllama, make_backend: Make) -> None:
    gate = threading.Event()
    loads_when(fake, gate)
    backend = make_backend(MAX_CONCURRENCY="8")
    answers = at_once(*[lambda: chat(backend), lambda: complete(backend)] * 4)
    fake.wait_for_request(LOAD)
    gate.set()

    assert answers() == ["Hello", " world"] * 4
    assert len(loads(fake)) == 1


def test_each_model_has_a_load_of_its_own(fake: FakeOllama, make_backend: Make) -> None:
    gate = threading.Event()
    loads_when(fake, gate)
    backend = make_backend(MAX_CONCURRENCY="2")
    answers = at_once(lambda: chat(backend), lambda: embed(backend))
    fake.wait_for_request(LOAD, count=2)
    gate.set()

    assert answers() == ["Hello", [embedding("Hi")]]
    assert {load["model"] for load in loads(fake)} == {CHATS, EMBEDS}


@pytest.fixture
def loading(fake: FakeOllama, transport: Transport) -> OllamaLoading:
    """Loads of the fake's models; who waits for one may have less time than another."""
    settings = Settings.from_env({"OLLAMA_BASE_URL": fake.url})
    client = OllamaClient(transport)
    return OllamaLoading(client, OllamaModels(client, settings), settings, NullMetrics())


def test_one_of_two_leaves_and_the_load_goes_on_for_the_other(
    fake: FakeOllama, loading: OllamaLoading
) -> None:
    gate = threading.Event()
    loads_when(fake, gate)
    entry: Any = {"name": CHATS}
    patient = at_once(lambda: loading.wait_for(entry, "chat", Total.of(60)))
    fake.wait_for_request(LOAD)
    error = failure(lambda: loading.wait_for(entry, "chat", Total.of(0.1)))
    gate.set()

    assert "TOTAL_TIMEOUT" in error.message
    assert patient() == [None]
    assert len(loads(fake)) == 1
    assert not fake.received(LOAD)[0].disconnected.is_set()


def test_a_model_that_takes_longer_than_its_clients_wait_is_there_in_the_end(
    fake: FakeOllama, make_backend: Make
) -> None:
    gate = threading.Event()
    loads_when(fake, gate)
    backend = make_backend(LOAD_TIMEOUT="0.3")
    errors = at_once(*[lambda: chat(backend)] * 2)()
    (load,) = fake.received(LOAD)
    gone = load.disconnected.is_set()
    gate.set()
    assert load.over.wait(5)

    for error in errors:
        assert isinstance(error, TensoriaError)
        assert (error.status, error.code) == (504, "timeout")
        assert error.headers == {"x-should-retry": "false"}
        assert "still loading after 0.3 seconds (LOAD_TIMEOUT)" in error.message
    assert not gone
    assert chat(backend) == "Hello"
    assert len(loads(fake)) == 1


def test_who_comes_while_a_load_is_under_way_joins_it_even_if_the_model_is_listed(
    fake: FakeOllama, loading: OllamaLoading
) -> None:
    """Before 0.30 /api/ps shows a model that is still loading."""
    gate = threading.Event()
    loads_when(fake, gate)
    entry: Any = {"name": CHATS}
    first = at_once(lambda: loading.wait_for(entry, "chat", Total.of(60)))
    fake.wait_for_request(LOAD)
    fake.loaded = [CHATS]
    loading._models.look_again()
    error = failure(lambda: loading.wait_for(entry, "chat", Total.of(0.1)))
    gate.set()

    assert "TOTAL_TIMEOUT" in error.message
    assert first() == [None]


def test_the_clocks_of_a_request_start_when_the_model_is_there(
    fake: FakeOllama, make_backend: Make
) -> None:
    def slow(exchange: Exchange) -> None:
        exchange.pause(0.6)
        fake.default(exchange.request)(exchange)

    fake.script(LOAD, slow)

    assert chat(make_backend(OLLAMA_TIMEOUT="0.4")) == "Hello"


def test_a_model_that_was_just_loaded_has_no_time_to_load_on_top(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script("/api/chat", stream([hang]))
    started = time.monotonic()
    error = failure(lambda: chat(make_backend(OLLAMA_TIMEOUT="0.2", LOAD_TIMEOUT="5")))

    assert "OLLAMA_TIMEOUT" in error.message
    assert time.monotonic() - started < 2


def test_a_model_that_was_unloaded_meanwhile_is_loaded_again(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend()
    chat(backend)
    fake.loaded = []
    backend._models.look_again()

    assert chat(backend) == "Hello"
    assert len(loads(fake)) == 2


def test_the_context_that_a_load_came_out_with_is_known_to_the_first_request(
    fake: FakeOllama, make_backend: Make
) -> None:
    """Ollama may have had to lower it; /api/ps alone tells."""
    fake.context_length = 100
    opened = make_backend().chat(
        {"model": CHATS, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5000},  # type: ignore[typeddict-unknown-key]
        ANSWER,
    )
    opened.close()

    assert opened.adjusted == {"max_tokens": "100"}


NO_MEMORY = "model requires more system memory (8.0 GiB) than is available (2.0 GiB)"


@pytest.mark.parametrize(
    ("handler", "status", "code"),
    [
        (answer_json({"error": NO_MEMORY}, 500), 503, "model_load_failed"),
        (answer_json({"error": "server busy, please try again."}, 503), 503, "overloaded"),
        (answer_html(200), 502, "engine_error"),
        (stream([close]), 502, "engine_error"),
        *[
            (replay(Recording.load(release, "load-broken-weights")), 503, "model_load_failed")
            for release in ("0.9.6", "0.24.0", "0.32.15")
        ],
    ],
)
def test_a_load_that_fails_is_told_to_all_who_wait(
    fake: FakeOllama, make_backend: Make, handler: Handler, status: int, code: str
) -> None:
    gate = threading.Event()

    def fail(exchange: Exchange) -> None:
        exchange.wait_for(gate)
        handler(exchange)

    fake.script(LOAD, fail)
    backend = make_backend(MAX_CONCURRENCY="3", LOAD_TIMEOUT="10")
    answers = at_once(*[lambda: chat(backend)] * 3)
    fake.wait_for_request(LOAD)
    _until_waiting(backend, 3)
    gate.set()

    got = [(error.status, error.code) for error in answers() if isinstance(error, TensoriaError)]
    assert got == [(status, code)] * 3
    assert len(loads(fake)) == 1
    assert fake.received("/api/chat") == []


def _until_waiting(backend: OllamaBackend, clients: int) -> None:
    """Who comes when a load is over has one of his own."""
    loading: Any = backend._loading
    (load,) = loading._under_way.values()
    deadline = time.monotonic() + 5
    while len(load.over._cond._waiters) < clients:
        assert time.monotonic() < deadline, "not within 5 s"
        time.sleep(0.01)


def test_after_a_load_that_failed_the_next_one_is_tried(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(LOAD, answer_json({"error": NO_MEMORY}, 500), fake_loads(fake))
    backend = make_backend()

    assert failure(lambda: chat(backend)).code == "model_load_failed"
    assert chat(backend) == "Hello"


def fake_loads(fake: FakeOllama) -> Handler:
    return lambda exchange: fake.default(exchange.request)(exchange)


def test_a_load_that_is_refused_leaves_it_to_the_request_to_say_why(
    fake: FakeOllama, make_backend: Make
) -> None:
    refusal = answer_json({"error": f'"{EMBEDS}" does not support chat'}, 400)
    fake.script(LOAD, refusal)
    fake.script("/api/chat", refusal)
    error = failure(lambda: chat(make_backend(), EMBEDS))

    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "model")
    assert len(fake.received("/api/chat")) == 1


def test_a_model_that_only_chats_is_not_loaded_to_embed(
    fake: FakeOllama, make_backend: Make
) -> None:
    request: Any = {"model": CHATS, "input": ["Hi"]}

    assert failure(lambda: make_backend().embed(request)).param == "model"
    assert loads(fake) == []


def test_a_load_that_never_ends_is_ended_in_the_end(
    fake: FakeOllama, make_backend: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is gone without a word must not keep its model from ever being loaded."""
    monkeypatch.setattr(ollama_loading, "LOAD_TIMEOUTS_PER_LOAD", 0.5)
    fake.script(LOAD, hang, fake_loads(fake))
    backend = make_backend(LOAD_TIMEOUT="0.6")
    error = failure(lambda: chat(backend))

    assert (error.status, error.code) == (504, "timeout")
    assert error.message == f"The model '{CHATS}' did not load within 0.3 seconds."
    fake.wait_for_disconnect(LOAD)
    assert chat(backend) == "Hello"


@pytest.mark.parametrize("name", ["qwen3:480b-cloud", "harmless:latest"])
def test_a_model_on_other_machines_is_never_loaded(
    fake: FakeOllama, make_backend: Make, name: str
) -> None:
    fake.models.append(model_entry("harmless:latest", remote_host="https://ollama.com:443"))
    fake.script("/api/show", answer_json({"capabilities": ["completion"]}))
    fake.script("/api/chat", stream([chat_line("Hi"), done_line()]))

    assert chat(make_backend(ALLOW_CLOUD_MODELS="1"), name) == "Hi"
    assert loads(fake) == []


def test_a_dry_run_loads_nothing(fake: FakeOllama, make_backend: Make) -> None:
    with pytest.raises(Explained) as caught:
        chat(make_backend().dry())  # type: ignore[arg-type]

    assert caught.value.path == "/api/chat"
    assert loads(fake) == []


def test_an_engine_that_does_not_tell_what_is_loaded_is_an_error_as_ever(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script("/api/ps", close)

    assert failure(lambda: chat(make_backend())).status == 502
    assert loads(fake) == []


def test_a_model_is_asked_even_if_nobody_tells_that_it_was_loaded(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script("/api/ps", answer_json({"models": []}))

    assert chat(make_backend()) == "Hello"
