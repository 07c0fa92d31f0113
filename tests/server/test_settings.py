"""What gunicorn is told for each setting, and that its own file is read anew."""

import os
import runpy
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config

from tensoria.config import ConfigError, Settings
from tensoria.server.settings import gunicorn_settings

FILE = Path(__file__).parents[2] / "gunicorn.conf.py"


def told(**variables: str) -> dict[str, Any]:
    return gunicorn_settings(Settings.from_env(variables))


@pytest.mark.parametrize(
    ("host", "bind"),
    [("127.0.0.1", "127.0.0.1:8002"), ("::1", "[::1]:8002"), ("localhost", "localhost:8002")],
)
def test_the_address(host: str, bind: str) -> None:
    assert told(API_HOST=host)["bind"] == bind


def test_the_port() -> None:
    assert told(API_PORT="9000")["bind"] == "127.0.0.1:9000"


@pytest.mark.parametrize(
    ("variables", "workers"),
    [({}, 1), ({"WEB_CONCURRENCY": "2", "OLLAMA_NUM_PARALLEL": "4"}, 2)],
)
def test_the_workers(variables: dict[str, str], workers: int) -> None:
    assert told(**variables)["workers"] == workers


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
def test_the_log_level_is_gunicorns_too(level: str) -> None:
    settings = told(LOG_LEVEL=level)

    assert settings["loglevel"] == level.lower()
    assert settings["logconfig_dict"]["loggers"]["gunicorn.error"]["level"] == level
    assert settings["logconfig_dict"]["loggers"]["tensoria"]["level"] == level


def test_what_does_not_depend_on_a_setting() -> None:
    settings = told()

    assert settings["preload_app"] is False
    assert settings["control_socket_disable"] is True
    assert settings["worker_class"] == "tensoria.server.worker.TensoriaWorker"
    assert settings["worker_connections"] > 1000
    assert settings["keepalive"] > 60


@pytest.mark.parametrize(
    ("variables", "connections"),
    [({}, 4096), ({"MAX_CONCURRENCY": "3000", "MAX_QUEUE": "2000"}, 3000 + 2000 + 1024)],
)
def test_there_are_more_connections_than_run_and_wait(
    variables: dict[str, str], connections: int
) -> None:
    assert told(**variables)["worker_connections"] == connections


def test_gunicorn_knows_and_takes_every_name() -> None:
    config = Config()
    for name, value in told().items():
        config.set(name, value)

    assert config.worker_connections == told()["worker_connections"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder and an empty environment."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_runs_in_a_clean_environment(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    assert runpy.run_path(str(FILE))["bind"] == "127.0.0.1:8002"


def test_the_file_sees_a_changed_dotenv_when_it_is_run_anew(folder: Path) -> None:
    binds = []
    for port in ("9001", "9002"):
        (folder / ".env").write_text(f"API_PORT={port}\n")
        binds.append(runpy.run_path(str(FILE))["bind"])

    assert binds == ["127.0.0.1:9001", "127.0.0.1:9002"]
    assert "API_PORT" not in os.environ


def test_a_variable_of_the_process_holds_over_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("API_PORT=9001\nLOG_LEVEL=ERROR\n")
    monkeypatch.setenv("API_PORT", "9003")
    settings = runpy.run_path(str(FILE))

    assert settings["bind"] == "127.0.0.1:9003"
    assert settings["loglevel"] == "error"


def test_a_bad_value_stops_the_start_and_names_the_variable(folder: Path) -> None:
    (folder / ".env").write_text("API_PORT=http\n")

    with pytest.raises(ConfigError, match=r"^API_PORT"):
        runpy.run_path(str(FILE))
