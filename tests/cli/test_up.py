"""The decisions of `tensoria up`; it starts nothing here (tests/e2e/test_up.py does)."""

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tensoria.cli import main, up
from tensoria.cli.embedded import Embedded, Embeddings
from tensoria.engine.failures import EngineError
from tensoria.engine.model import Model
from tensoria.engine.supervisor import Patience
from tests.fake_ollama import FakeOllama, answer_json, model_entry

DEMO = Model(Path("demo.gguf"), "smollm2:135m", "demo model", demo=True)

MINILM = Model(Path("minilm.gguf"), "all-minilm", "a model that embeds", demo=False)


class Recorder:
    """Takes the places of what fetches and of what starts processes."""

    def __init__(self) -> None:
        self.prepared: list[Path | None] = []
        self.with_embeddings: list[bool] = []
        self.sessions: list[tuple[Embedded | None, Mapping[str, str], str, str]] = []

    def prepare(
        self, path: Path | None, _environ: object, _report: object, *, embeddings: bool
    ) -> Embedded:
        self.prepared.append(path)
        self.with_embeddings.append(embeddings)
        told: Any = {"api_key": "random"}
        second = Embeddings(MINILM, told, Patience()) if embeddings else None
        return Embedded(DEMO, told, {}, Patience(), second)

    def run(
        self, embedded: Embedded | None, environ: Mapping[str, str], address: str, text: str
    ) -> int:
        self.sessions.append((embedded, environ, address, text))
        return 0


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, port: int) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(up, "prepare", recorder.prepare)
    monkeypatch.setattr(up, "Session", lambda: recorder)
    monkeypatch.setenv("API_PORT", str(port))
    return recorder


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    with FakeOllama() as engine:
        engine.script("/api/tags", answer_json({"models": [model_entry("qwen3:4b")]}))
        yield engine


@pytest.fixture
def no_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs on this machine's port 11434."""
    monkeypatch.setattr(up, "find_engine", lambda _environ, _settings: None)


def banner_of(recorder: Recorder) -> str:
    (session,) = recorder.sessions
    return session[3]


def test_ollama_that_answers_is_used(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    assert main(["up"]) == 0
    assert recorder.prepared == []
    assert recorder.sessions[0][0] is None
    assert f"Engine: Ollama 0.32.15 at {fake.url}\n" in banner_of(recorder)


def test_example_asks_a_model_that_is_installed(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    main(["up"])
    assert '"model": "qwen3:4b"' in banner_of(recorder)


def test_only_model_becomes_the_default(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README's example names no model, and has to be answered by whichever engine is there."""
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    main(["up"])
    assert recorder.sessions[0][1]["DEFAULT_MODEL"] == "qwen3:4b"
    assert "Set for it: DEFAULT_MODEL=qwen3:4b" in banner_of(recorder)


def test_default_model_that_the_user_set_stays(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    monkeypatch.setenv("DEFAULT_MODEL", "phi4")
    main(["up"])
    assert recorder.sessions[0][1]["DEFAULT_MODEL"] == "phi4"
    assert "Set for it" not in banner_of(recorder)


def test_example_asks_the_default_model_where_it_is_installed(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [model_entry("qwen3:4b"), model_entry("mistral:latest")]
    fake.script("/api/tags", answer_json({"models": names}))
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    main(["up"])
    assert '"model": "mistral"' in banner_of(recorder)


def test_ollama_without_a_model_is_used_and_told(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.script("/api/tags", answer_json({"models": []}))
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    assert main(["up"]) == 0
    assert "ollama pull mistral" in banner_of(recorder)


def test_ollama_set_by_hand_that_does_not_answer_is_an_error(
    recorder: Recorder,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever wants an Ollama is not helped by a toy model under the same address."""
    monkeypatch.setenv("OLLAMA_BASE_URL", f"http://127.0.0.1:{port}")
    assert main(["up"]) == 1
    assert capsys.readouterr().err.startswith("tensoria: OLLAMA_BASE_URL is set, and no Ollama")
    assert (recorder.prepared, recorder.sessions) == ([], [])


def test_dotenv_counts_as_set_by_hand(
    recorder: Recorder, port: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"OLLAMA_PORT={port}\n")
    assert main(["up"]) == 1
    assert capsys.readouterr().err.startswith("tensoria: OLLAMA_PORT is set, and no Ollama")
    assert recorder.prepared == []


@pytest.mark.usefixtures("no_ollama")
def test_nothing_found_is_the_embedded_engine(recorder: Recorder) -> None:
    assert main(["up"]) == 0
    ((embedded, environ, _, text),) = recorder.sessions
    assert embedded is not None
    assert "Engine: demo model, llama.cpp\n" in text
    assert {name: environ[name] for name in embedded.defaults({})} == embedded.defaults({})


def test_embedded_is_used_beside_an_ollama(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    assert main(["up", "--embedded"]) == 0
    assert recorder.prepared == [None]


def test_embedded_needs_no_ollama_that_was_set_by_hand(
    recorder: Recorder, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", f"http://127.0.0.1:{port}")
    assert main(["up", "--embedded"]) == 0


def test_own_model_means_the_embedded_engine(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    assert main(["up", "--model", "own.gguf"]) == 0
    assert recorder.prepared == [Path("own.gguf")]


@pytest.mark.usefixtures("no_ollama")
def test_own_model_may_be_named_in_the_environment(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDED_MODEL", "own.gguf")
    assert main(["up"]) == 0
    assert recorder.prepared == [Path("own.gguf")]


def test_embeddings_mean_the_embedded_engine_and_are_told(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    assert main(["up", "--embeddings"]) == 0
    assert recorder.with_embeddings == [True]
    assert '\nEmbeddings: a model that embeds, as "all-minilm"\n' in banner_of(recorder)


@pytest.mark.usefixtures("no_ollama")
def test_embeddings_may_be_asked_for_in_the_environment(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDED_EMBEDDINGS", "1")
    assert main(["up"]) == 0
    assert recorder.with_embeddings == [True]


def test_embeddings_in_the_environment_leave_an_ollama_in_use(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It embeds by itself; the setting is about the embedded engine, as EMBEDDED_MODEL is."""
    monkeypatch.setenv("OLLAMA_BASE_URL", fake.url)
    monkeypatch.setenv("EMBEDDED_EMBEDDINGS", "1")
    assert main(["up"]) == 0
    assert recorder.prepared == []


def test_second_engine_of_the_users_own_is_told(
    recorder: Recorder, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.script("/v1/models", answer_json({"data": [{"id": "qwen3"}]}))
    monkeypatch.setenv("ENGINE", "openai")
    monkeypatch.setenv("ENGINE_BASE_URL", fake.url)
    monkeypatch.setenv("EMBEDDINGS_BASE_URL", "http://127.0.0.1:8081")
    assert main(["up"]) == 0
    assert "\nEmbeddings: engine at http://127.0.0.1:8081/v1\n" in banner_of(recorder)


@pytest.mark.usefixtures("no_ollama")
def test_embeddings_that_nobody_asked_for_are_not_fetched(recorder: Recorder) -> None:
    """The README's first command stays small."""
    assert main(["up"]) == 0
    assert recorder.with_embeddings == [False]
    assert "Embeddings" not in banner_of(recorder)


@pytest.mark.usefixtures("no_ollama")
def test_settings_of_the_user_are_left(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those of `.env` too."""
    (tmp_path / ".env").write_text("MAX_TOKENS=64\n")
    monkeypatch.setenv("DEFAULT_TEMPERATURE", "0.3")
    assert main(["up"]) == 0
    ((_, environ, _, text),) = recorder.sessions
    assert "MAX_TOKENS" not in environ
    assert environ["DEFAULT_TEMPERATURE"] == "0.3"
    assert "\nSet for it: DEFAULT_MODEL=smollm2:135m MAX_CONCURRENCY=2\n" in text


@pytest.mark.usefixtures("no_ollama")
@pytest.mark.parametrize("in_file", [True, False])
def test_key_is_never_printed(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_file: bool
) -> None:
    if in_file:
        (tmp_path / ".env").write_text("API_KEY=very-secret\n")
    else:
        monkeypatch.setenv("API_KEY", "very-secret")
    assert main(["up"]) == 0
    assert "very-secret" not in banner_of(recorder)
    assert "${API_KEY%%,*}" in banner_of(recorder)
    assert ("(. ./.env; curl" in banner_of(recorder)) is in_file


def test_busy_port_is_told_before_anything_is_fetched(
    recorder: Recorder, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert main(["up", "--embedded"]) == 1
    assert f"tensoria: API_PORT {port} on 127.0.0.1 cannot be used" in capsys.readouterr().err
    assert recorder.prepared == []


def test_address_without_a_key_is_refused_before_anything_is_fetched(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_HOST", "0.0.0.0")
    assert main(["up", "--embedded"]) == 2
    assert capsys.readouterr().err.startswith("tensoria: API_KEY must be set")
    assert recorder.prepared == []


def test_fetch_only_fetches_and_starts_nothing(recorder: Recorder, port: int) -> None:
    """It does not mind what is running."""
    with socket.create_server(("127.0.0.1", port)):
        assert main(["up", "--fetch-only"]) == 0
    assert recorder.prepared == [None]
    assert recorder.with_embeddings == [False]
    assert recorder.sessions == []


def test_fetch_only_fetches_the_embedding_model_when_asked(recorder: Recorder) -> None:
    assert main(["up", "--fetch-only", "--embeddings"]) == 0
    assert recorder.with_embeddings == [True]
    assert recorder.sessions == []


def test_engine_that_cannot_be_had_is_one_line_and_exit_code_1(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise EngineError("Model not fetched (the disk is full).")

    monkeypatch.setattr(up, "prepare", fail)
    assert main(["up", "--embedded"]) == 1
    assert capsys.readouterr().err == "tensoria: Model not fetched (the disk is full).\n"


def test_interrupt_while_fetching_is_the_shells_exit_code(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_args: object, **_options: object) -> None:
        os.kill(os.getpid(), 15)

    monkeypatch.setattr(up, "prepare", interrupt)
    assert main(["up", "--embedded"]) == 130
    assert capsys.readouterr().err == "tensoria: stopped before anything was started.\n"
