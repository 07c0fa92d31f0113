"""A model that keeps silent while its Ollama answers: noticed, counted, told, and unloaded once."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tensoria.backends.ollama import OllamaBackend
from tensoria.errors import BackendTimeout
from tests.backends.conftest import ANSWER
from tests.fake_ollama import (
    LOAD,
    FakeOllama,
    answer_json,
    chat_line,
    close,
    done_line,
    hang,
    model_entry,
    stream,
)

MODEL, OTHER = "smollm2:135m", "other:latest"
HELLO = stream([chat_line("Hello"), done_line()])
Make = Callable[..., OllamaBackend]


@pytest.fixture
def backend(make_backend: Make) -> OllamaBackend:
    """A backend that waits a moment for a first token."""
    return make_backend(OLLAMA_TIMEOUT="0.15", STREAM_IDLE_TIMEOUT="0.15")


def ask(backend: OllamaBackend, model: str = MODEL) -> bool:
    """Tell whether a chat was answered to its end."""
    asked: Any = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    try:
        opened = backend.chat(asked, ANSWER)
    except BackendTimeout:
        return False
    try:
        return bool(list(opened))
    except BackendTimeout:
        return False
    finally:
        opened.close()


def unloads(fake: FakeOllama) -> list[Any]:
    return [r.json for r in fake.received(LOAD) if r.json.get("keep_alive") == 0]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "not within 5 s"
        time.sleep(0.01)


@pytest.mark.parametrize("silence", [hang, stream([hang])], ids=["no head", "a head"])
def test_two_late_tokens_in_a_row_unload_the_model_and_warn(
    fake: FakeOllama, backend: OllamaBackend, silence: Any
) -> None:
    fake.script("/api/chat", silence)
    assert [ask(backend), ask(backend)] == [False, False]
    fake.wait_for_request(LOAD)

    assert unloads(fake) == [{"model": MODEL, "keep_alive": 0}]
    assert backend.wedged.wedged_total == 1
    (warning,) = backend.status().warnings
    assert f"'{MODEL}' is wedged" in warning


def test_one_late_token_is_nothing(fake: FakeOllama, backend: OllamaBackend) -> None:
    fake.script("/api/chat", hang, HELLO, hang, HELLO, hang)
    assert [ask(backend) for _ in range(5)] == [False, True, False, True, False]

    assert backend.status().warnings == ()
    assert unloads(fake) == []


def test_models_are_counted_apart(fake: FakeOllama, backend: OllamaBackend) -> None:
    fake.models.append(model_entry(OTHER))
    fake.script("/api/chat", hang)
    assert [ask(backend), ask(backend, OTHER)] == [False, False]

    assert backend.wedged.wedged_total == 0


def test_a_model_is_unloaded_once_until_it_answers_again(
    fake: FakeOllama, backend: OllamaBackend
) -> None:
    fake.script("/api/chat", *[hang] * 5, HELLO, hang)
    for _ in range(2):
        ask(backend)
    fake.wait_for_request(LOAD)
    for _ in range(3):
        ask(backend)
    assert len(unloads(fake)) == 1

    assert ask(backend)
    assert backend.wedged.warnings() == []
    for _ in range(2):
        ask(backend)
    fake.wait_for_request(LOAD, count=2)
    assert backend.wedged.wedged_total == 2


def test_an_engine_that_is_silent_itself_has_no_wedged_model(
    fake: FakeOllama, backend: OllamaBackend
) -> None:
    assert ask(backend)
    fake.script("/api/version", close)
    fake.script("/api/chat", hang)
    asked = len(fake.received("/api/version"))
    assert [ask(backend), ask(backend)] == [False, False]
    fake.wait_for_request("/api/version", count=asked + 1)

    assert backend.wedged.wedged_total == 0
    assert backend.wedged.warnings() == []
    assert unloads(fake) == []


def test_an_unload_that_fails_leaves_the_warning(
    fake: FakeOllama, backend: OllamaBackend, caplog: pytest.LogCaptureFixture
) -> None:
    fake.script(LOAD, close)
    fake.script("/api/chat", hang)
    for _ in range(2):
        ask(backend)
    # In the words of this engine: a thread of another test may still log its own.
    until(lambda: "could not unload smollm2:135m: The connection to the" in caplog.text)

    assert len(backend.wedged.warnings()) == 1


def test_once_the_engine_answers_the_next_late_token_is_looked_at(
    fake: FakeOllama, backend: OllamaBackend
) -> None:
    assert ask(backend)
    fake.script("/api/version", close, answer_json({"version": "0.32.15"}))
    fake.script("/api/chat", hang)
    asked = len(fake.received("/api/version"))
    for _ in range(2):
        ask(backend)
    fake.wait_for_request("/api/version", count=asked + 1)
    ask(backend)
    fake.wait_for_request(LOAD)

    assert backend.wedged.wedged_total == 1


def test_a_stop_in_the_middle_is_not_a_late_token(fake: FakeOllama, backend: OllamaBackend) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    assert [ask(backend), ask(backend)] == [False, False]

    assert unloads(fake) == []
    assert backend.wedged.wedged_total == 0


def test_an_answer_that_comes_while_it_is_looked_clears_the_model(
    fake: FakeOllama, backend: OllamaBackend
) -> None:
    assert ask(backend)
    gate = threading.Event()
    told = b'{"version":"0.32.15"}'
    fake.script("/api/version", stream([gate, told], headers=[("Transfer-Encoding", "chunked")]))
    fake.script("/api/chat", hang, hang, HELLO)
    asked = len(fake.received("/api/version"))
    for _ in range(2):
        ask(backend)
    fake.wait_for_request("/api/version", count=asked + 1)
    assert ask(backend)
    gate.set()
    fake.wait_until_idle()

    assert backend.wedged.wedged_total == 0
    assert unloads(fake) == []


def test_embeddings_that_do_not_come_count_too(fake: FakeOllama, backend: OllamaBackend) -> None:
    fake.models = [model_entry("all-minilm:l6-v2", capabilities=("embedding",))]
    fake.script("/api/embed", hang)
    request: Any = {"model": "all-minilm:l6-v2", "input": ["Hi"]}
    for _ in range(2):
        with pytest.raises(BackendTimeout):
            backend.embed(request)
    fake.wait_for_request(LOAD)

    assert unloads(fake) == [{"model": "all-minilm:l6-v2", "keep_alive": 0}]


def test_a_wedged_model_that_was_unloaded_is_loaded_for_the_next_request(
    fake: FakeOllama, backend: OllamaBackend
) -> None:
    fake.loaded = [MODEL]
    fake.script("/api/chat", hang, hang, HELLO)
    for _ in range(2):
        ask(backend)
    fake.wait_for_request(LOAD)
    until(lambda: not backend._models.is_loaded(MODEL))

    assert ask(backend)
    assert len(fake.received(LOAD)) == 2
    assert backend.wedged.warnings() == []


def test_models_on_other_machines_are_not_watched(fake: FakeOllama, make_backend: Make) -> None:
    fake.models = [model_entry("harmless:latest", remote_host="https://ollama.com:443")]
    fake.script("/api/chat", hang)
    backend = make_backend(OLLAMA_TIMEOUT="0.1", ALLOW_CLOUD_MODELS="1")
    assert [ask(backend, "harmless") for _ in range(3)] == [False] * 3

    assert fake.received(LOAD) == []
