"""What `tensoria up` makes of an engine; that the engine takes it, tests/e2e shows."""

import json
import os
from pathlib import Path

import pytest

from tensoria.cli import embedded
from tensoria.config import Settings
from tensoria.engine import install, minilm, model, preflight
from tensoria.engine.child import Told
from tensoria.engine.failures import EngineError
from tensoria.engine.model import Model
from tensoria.engine.supervisor import Patience

DEMO = Model(Path("demo.gguf"), "smollm2:135m", "demo model (135M, English only)", demo=True)


@pytest.fixture
def engine() -> embedded.Embedded:
    told: Told = {
        "model": "demo.gguf",
        "alias": "smollm2:135m",
        "other_names": [],
        "embedding": False,
        "chat_template": None,
        "port": 0,
        "api_key": "random",
        "threads": 1,
    }
    return embedded.Embedded(DEMO, told, {}, Patience())


def test_demo_engine_is_called_what_it_is(engine: embedded.Embedded) -> None:
    assert engine.description == "demo model (135M, English only), llama.cpp"


def test_defaults_suit_the_demo_model(engine: embedded.Embedded) -> None:
    assert engine.defaults({}) == {
        "DEFAULT_MODEL": "smollm2:135m",
        "MAX_TOKENS": "512",
        "DEFAULT_TEMPERATURE": "0",
        "MAX_CONCURRENCY": "2",
    }


def test_what_the_user_has_set_is_left(engine: embedded.Embedded) -> None:
    defaults = engine.defaults({"MAX_TOKENS": "64", "DEFAULT_TEMPERATURE": "0.3"})
    assert sorted(defaults) == ["DEFAULT_MODEL", "MAX_CONCURRENCY"]


def test_gateway_is_led_to_the_engine(engine: embedded.Embedded) -> None:
    settings = Settings.from_env(engine.connection(4242))
    assert settings.engine == "openai"
    assert settings.engine_base_url == "http://127.0.0.1:4242/v1"
    assert settings.engine_api_key == "random"
    assert settings.engine_label == "tensoria-embedded (llama.cpp)"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A machine with everything on it, and a record of what was looked at."""
    seen: list[str] = []
    demo = tmp_path / "demo.gguf"
    demo.write_bytes(b"GGUF")

    def ensure(*_args: object) -> None:
        seen.append("engine")

    def check(*_args: object) -> dict[str, str]:
        seen.append("cpu")
        return {"LD_LIBRARY_PATH": "/lib"}

    def fetch(*_args: object) -> Model:
        seen.append("model")
        return Model(demo, "smollm2:135m", "demo model", demo=True)

    monkeypatch.setattr(install, "ensure_engine", ensure)
    monkeypatch.setattr(preflight, "check", check)
    monkeypatch.setattr(model, "demo_model", fetch)

    def fetch_second(*_args: object) -> Model:
        seen.append("embedding model")
        return Model(demo, "all-minilm", "small", demo=False, other_names=("all-minilm:l6-v2",))

    monkeypatch.setattr(minilm, "embedding_model", fetch_second)
    return seen


def test_model_is_fetched_only_where_the_engine_runs(machine: list[str]) -> None:
    embedded.prepare(None, {}, print)
    assert machine == ["engine", "cpu", "model"]


def test_own_model_is_looked_at_before_anything_is_fetched(
    machine: list[str], tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        embedded.prepare(tmp_path / "gone.gguf", {}, print)
    assert machine == []


def test_own_model_makes_the_demo_model_unnecessary(machine: list[str], tmp_path: Path) -> None:
    own = tmp_path / "Own.gguf"
    own.write_bytes(b"GGUF")
    prepared = embedded.prepare(own, {}, print)
    assert machine == ["engine", "cpu"]
    assert prepared.told["model"] == str(own)
    assert prepared.told["alias"] == "own"
    assert prepared.told["chat_template"] is None


def test_embedding_model_is_fetched_when_asked_for_and_last(machine: list[str]) -> None:
    embedded.prepare(None, {}, print, embeddings=True)
    assert machine == ["engine", "cpu", "model", "embedding model"]


def test_second_process_embeds_under_the_key_of_the_first(machine: list[str]) -> None:
    """The gateway has one key for its engines."""
    prepared = embedded.prepare(None, {}, print, embeddings=True)
    assert prepared.embeddings is not None
    first, second = prepared.told, prepared.embeddings.told
    assert (first["embedding"], second["embedding"]) == (False, True)
    assert first["api_key"] == second["api_key"]
    assert (second["alias"], second["other_names"]) == ("all-minilm", ["all-minilm:l6-v2"])
    assert second["chat_template"] is None


def test_what_embeds_is_described_by_the_name_to_ask_for(machine: list[str]) -> None:
    prepared = embedded.prepare(None, {}, print, embeddings=True)
    assert prepared.embeddings_description == 'small, as "all-minilm"'


def test_engine_that_only_chats_describes_nothing_that_embeds(engine: embedded.Embedded) -> None:
    assert engine.embeddings_description is None
    assert "EMBEDDINGS_BASE_URL" not in engine.connection(4242)


def test_gateway_is_led_to_the_second_process_too(engine: embedded.Embedded) -> None:
    settings = Settings.from_env(engine.connection(4242, 4243))
    assert settings.engine_base_url == "http://127.0.0.1:4242/v1"
    assert settings.embeddings_base_url == "http://127.0.0.1:4243/v1"


def test_child_gets_the_environment_in_which_the_probe_ran(machine: list[str]) -> None:
    assert embedded.prepare(None, {}, print).environ["LD_LIBRARY_PATH"] == "/lib"


def test_threads_do_not_spin_against_a_busy_core(machine: list[str]) -> None:
    """They wait for each other at every layer: spinning, they were a hundred times slower."""
    assert embedded.prepare(None, {}, print).environ["GOMP_SPINCOUNT"] == "1000"


def test_spinning_as_the_user_set_it_is_left(
    machine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "check", lambda *_args: {"GOMP_SPINCOUNT": "0"})
    assert embedded.prepare(None, {}, print).environ == {"GOMP_SPINCOUNT": "0"}


def test_every_start_has_another_key(machine: list[str]) -> None:
    keys = {embedded.prepare(None, {}, print).told["api_key"] for _ in range(3)}
    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)


def test_threads_are_two_at_most(machine: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert embedded.prepare(None, {}, print).told["threads"] == 2
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert embedded.prepare(None, {}, print).told["threads"] == 1


def test_big_model_has_longer_to_load(machine: list[str], tmp_path: Path) -> None:
    own = tmp_path / "big.gguf"
    own.write_bytes(b"GGUF")
    os.truncate(own, 1_000_000_000)
    assert embedded.prepare(own, {}, print).patience.ready_seconds == 40


def test_what_the_child_is_told_is_one_line_of_json(machine: list[str]) -> None:
    told = embedded.prepare(None, {}, print).told
    assert "\n" not in json.dumps(told)
