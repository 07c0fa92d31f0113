from pathlib import Path

import pytest

from tensoria.engine import libgomp
from tensoria.engine.failures import EngineError
from tests.engine.wheels import make_wheel, write_lock

MEMBER = "scikit_learn.libs/libgomp-e985bcbb.so.1.0.0"


def lock_of(
    files: dict[str, bytes], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offer a wheel with these files in place of scikit-learn's 9 MB."""
    wheels = Path(environ["PIP_FIND_LINKS"])
    wheel = make_wheel(wheels, "scikit-learn", "1.9.1", files)
    monkeypatch.setattr(libgomp, "LOCK", write_lock(wheels, "scikit-learn", "1.9.1", wheel))


def test_it_is_taken_out_of_the_wheel_under_the_name_that_the_loader_wants(
    environ: dict[str, str], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_of({MEMBER: b"\x7fELF", "sklearn/__init__.py": b""}, environ, monkeypatch)
    folder = libgomp.libgomp_folder(environ, reports.append)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "libgomp.so.1": b"\x7fELF"
    }
    assert reports == ["Fetching libgomp, which this machine lacks (9 MB), once."]


def test_it_is_fetched_once(
    environ: dict[str, str], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_of({MEMBER: b"\x7fELF"}, environ, monkeypatch)
    for _ in range(2):
        libgomp.libgomp_folder(environ, reports.append)
    assert len(reports) == 1


def test_wheel_without_it_names_the_debian_package(
    environ: dict[str, str], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_of({}, environ, monkeypatch)
    with pytest.raises(EngineError, match=r"does not hold it\): apt-get install libgomp1$"):
        libgomp.libgomp_folder(environ, reports.append)


def test_registry_without_it_names_the_debian_package(
    environ: dict[str, str], reports: list[str]
) -> None:
    with pytest.raises(EngineError, match=r"apt-get install libgomp1$"):
        libgomp.libgomp_folder(environ, reports.append)


def test_eight_wheels_are_locked() -> None:
    """Four Pythons on two architectures; a fifth Python gets the message instead."""
    assert libgomp.LOCK.read_text().count("--hash=sha256:") == 8
