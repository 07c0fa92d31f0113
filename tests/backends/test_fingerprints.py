"""`system_fingerprint` on answers of both kinds of engine."""

from collections.abc import Callable

import pytest

from tensoria.backends.fingerprints import Fingerprints
from tensoria.backends.ollama import OllamaBackend
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.config import Settings
from tensoria.errors import BackendError
from tests.backends.conftest import ANSWER
from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import FakeOllama, answer_json, answer_text, model_entry

Make = Callable[..., OllamaBackend]


def of(backend: OllamaBackend | OpenAIBackend) -> str | None:
    """Return the fingerprint of a chat, the same in each of its chunks."""
    stream = backend.chat({"messages": [{"role": "user", "content": "Hi"}]}, ANSWER)
    try:
        (fingerprint,) = {chunk["system_fingerprint"] for block in stream for chunk in block}
    finally:
        stream.close()
    return fingerprint


def test_it_is_the_same_for_every_request_and_every_start(make_backend: Make) -> None:
    backend = make_backend()

    assert of(backend) == of(backend) == of(make_backend())


def test_a_completion_has_that_of_a_chat(make_backend: Make) -> None:
    backend = make_backend()
    stream = backend.complete({"prompt": ["Hi"]}, ANSWER)
    try:
        found = {chunk["system_fingerprint"] for block in stream for chunk in block}
    finally:
        stream.close()

    assert found == {of(backend)}


def test_another_model_release_or_setting_is_another_one(
    fake: FakeOllama, make_backend: Make
) -> None:
    found = [of(make_backend()), of(make_backend(DEFAULT_TEMPERATURE="0"))]
    fake.script("/api/version", answer_json({"version": "0.33.0"}))
    found.append(of(make_backend()))
    fake.models = [model_entry("smollm2:135m", digest="0" * 64)]
    found.append(of(make_backend()))

    assert len(set(found)) == 4


def test_the_release_is_not_asked_for_with_every_request(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend()
    for _ in range(5):
        of(backend)

    assert len(fake.received("/api/version")) == 1


def test_an_engine_that_does_not_tell_its_release_answers_all_the_same(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script("/api/version", answer_text("no", 500))
    backend = make_backend()

    assert of(backend) == of(backend)
    assert len(fake.received("/api/version")) == 1


def test_the_release_that_was_told_last_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensoria.backends.fingerprints.MAX_AGE_SECONDS", 0)
    answers = iter(["0.32.15"])

    def ask() -> str:
        try:
            return next(answers)
        except StopIteration:
            raise BackendError("gone") from None

    fingerprints = Fingerprints(Settings.from_env({}), ask)

    assert fingerprints.of("m") == fingerprints.of("m")


def test_an_engine_that_speaks_openai_has_one_of_what_is_known(fake: FakeOllama) -> None:
    settings = Settings.from_env(
        {"ENGINE": "openai", "ENGINE_BASE_URL": fake.url, "DEFAULT_MODEL": "m"}
    )
    found = []
    for size in (1, 1, 2):
        speak_openai(fake, "m", owned_by="llamacpp", meta={"size": size})
        found.append(of(OpenAIBackend(settings)))

    assert found[0] == found[1] != found[2]
    assert str(found[0]).startswith("fp_")
