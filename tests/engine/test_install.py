import configparser
import sys
from pathlib import Path

import pytest

from tensoria.engine import install
from tensoria.engine.failures import EngineError

ROOT = Path(__file__).parents[2]


def test_requirement_is_that_of_the_extra() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options.extras_require"]["embedded"].split() == [install.REQUIREMENT]


def test_engine_that_is_there_is_not_installed_again(
    environ: dict[str, str], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of this test offers no package at all: a try would raise."""
    monkeypatch.setattr(install, "REQUIREMENT", f"pytest=={pytest.__version__}")
    install.ensure_engine(environ, reports.append)
    assert reports == []


def test_other_version_counts_as_missing(
    environ: dict[str, str], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "REQUIREMENT", "pytest==0.0.1")
    with pytest.raises(EngineError):
        install.ensure_engine(environ, reports.append)
    assert reports == [
        "Installing the engine pytest==0.0.1 (llama.cpp, about 34 MB) into this environment."
    ]


def test_machine_without_a_build_is_told_which_have_one(
    environ: dict[str, str], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "REQUIREMENT", "tensoria-no-such-engine==1.0")
    with pytest.raises(EngineError) as raised:
        install.ensure_engine(environ, reports.append)
    message = str(raised.value)
    assert "Linux with glibc on x86_64 and arm64, and for macOS 13 or newer" in message
    assert "OLLAMA_BASE_URL" in message


def test_registry_out_of_reach_is_told_with_the_command_to_try(
    environ: dict[str, str],
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
    closed_port: int,
) -> None:
    del environ["PIP_NO_INDEX"]
    environ |= {"PIP_INDEX_URL": f"http://127.0.0.1:{closed_port}/simple", "PIP_RETRIES": "1"}
    monkeypatch.setattr(install, "REQUIREMENT", "tensoria-no-such-engine==1.0")
    with pytest.raises(EngineError) as raised:
        install.ensure_engine(environ, reports.append)
    assert str(raised.value) == (
        "Engine not installed (the package registry cannot be reached). Try it by hand: "
        f"{sys.executable} -m pip install tensoria-no-such-engine==1.0; "
        "or point OLLAMA_BASE_URL at an Ollama server."
    )
