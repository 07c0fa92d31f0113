"""The keys file over the reloads of a service."""

import logging
from pathlib import Path

import pytest

from tensoria.admission import kept_keys
from tensoria.config import ConfigError

ONE = '[[keys]]\nname = "one"\nsha256 = "' + "1" * 64 + '"\n'
TWO = '[[keys]]\nname = "two"\nsha256 = "' + "2" * 64 + '"\n'


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is an arbiter of its own."""
    monkeypatch.setattr(kept_keys, "_kept", kept_keys._Kept())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one key."""
    path = tmp_path / "keys.toml"
    path.write_text(ONE)
    return path


def names(path: Path) -> list[str]:
    return [key.name for key in (kept_keys.accepted(path) or {}).values()]


def test_workers_have_the_arbiters_keys_until_a_reload(path: Path) -> None:
    kept_keys.accept(path)
    path.write_text(TWO)
    before = names(path)
    kept_keys.accept(path)

    assert (before, names(path)) == (["one"], ["two"])


@pytest.mark.parametrize("broken", ["[[keys", "[[keys]]\n", None])
def test_a_broken_file_leaves_the_old_keys_and_says_so(
    path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    kept_keys.accept(path)
    path.unlink() if broken is None else path.write_text(broken)
    kept_keys.check(path)
    kept_keys.accept(path)

    assert names(path) == ["one"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("the old keys stay: API_KEYS_FILE")


def test_a_broken_file_at_another_path_leaves_the_old_keys_too(path: Path, tmp_path: Path) -> None:
    kept_keys.accept(path)
    (tmp_path / "other.toml").write_text("[[keys")
    kept_keys.accept(tmp_path / "other.toml")

    assert names(tmp_path / "other.toml") == ["one"]


def test_a_broken_file_stops_the_start(path: Path) -> None:
    path.write_text("[[keys")
    for begin in (kept_keys.check, kept_keys.accept, kept_keys.accepted):
        with pytest.raises(ConfigError, match=r"^API_KEYS_FILE is not TOML"):
            begin(path)


def test_a_file_that_is_not_there_yet_admits_nobody_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.toml"
    kept_keys.accept(path)

    assert kept_keys.accepted(path) == {}
    assert "admits nobody" in caplog.text


def test_the_first_key_comes_with_a_reload(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    kept_keys.accept(path)
    path.write_text(ONE)
    kept_keys.accept(path)

    assert names(path) == ["one"]


def test_no_file_is_no_keys(path: Path) -> None:
    kept_keys.accept(path)
    kept_keys.check(None)
    kept_keys.accept(None)

    assert kept_keys.accepted(None) is None


def test_a_server_without_an_arbiter_reads_the_file(path: Path) -> None:
    assert names(path) == ["one"]
