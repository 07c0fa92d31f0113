"""The package as it is installed: a wheel, in an environment and a folder without the checkout."""

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import requests

from tests.e2e.service import ROOT, clean_environment, running_service
from tests.fake_ollama import FakeOllama
from tests.requirements import need

pytestmark = pytest.mark.e2e


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """What the image is built from: building in the checkout would leave folders behind."""
    copy = tmp_path / "sources"
    copy.mkdir()
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        source = ROOT / line.removeprefix("!")
        if line.startswith("!") and source.is_dir():
            shutil.copytree(
                source, copy / source.name, ignore=shutil.ignore_patterns("__pycache__")
            )
        elif line.startswith("!"):
            shutil.copy(source, copy)
    return copy


@pytest.fixture
def wheel(tmp_path: Path, sources: Path) -> Path:
    """The wheel, built from what the image is built from."""
    need(importlib.util.find_spec("setuptools"), "setuptools", ".venv/bin/pip install setuptools")
    _pip(tmp_path, "wheel", "--no-build-isolation", "-w", str(tmp_path), str(sources))
    (built,) = tmp_path.glob("tensoria-*.whl")
    return built


@pytest.fixture
def installed(tmp_path: Path, wheel: Path) -> Path:
    """The `bin` of a new environment with the wheel in it.

    Its other packages are those of this environment, so that nothing is downloaded.
    """
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    _pip(tmp_path, "--python", str(python), "install", "--no-index", str(wheel))
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def _pip(folder: Path, *arguments: str) -> None:
    first, *rest = arguments
    options = ["--no-deps", "--disable-pip-version-check", "-q"]
    command = [first, *rest, *options]
    result = subprocess.run(
        [sys.executable, "-m", "pip", *command],
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_wheel_holds_the_pages_of_the_documentation_and_their_licences(wheel: Path) -> None:
    folder = ROOT / "tensoria" / "api" / "static"
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name).name for name in archive.namelist() if "/api/static/" in name}

    assert held == {each.name for each in folder.iterdir()}
    assert {"swagger-ui.LICENSE", "swagger-ui.NOTICE", "redoc.LICENSE"} <= held


def test_an_installed_wheel_serves_from_any_folder(
    installed: Path, tmp_path: Path, fake: FakeOllama, http: requests.Session
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [str(installed / "tensoria"), "serve"]
    where = subprocess.run(
        [str(installed / "python"), "-c", "import tensoria; print(tensoria.__file__)"],
        cwd=empty,
        env=clean_environment(empty),
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(installed.parent))

    with running_service(empty, fake.url, command, PYTHONPATH="") as service:
        health = http.get(f"{service.url}/health", timeout=10)
        models = http.get(f"{service.url}/v1/models", headers=service.headers, timeout=10)

    assert health.json() == {"status": "ok"}
    assert [model["id"] for model in models.json()["data"]] == ["smollm2:135m"]
