"""Changes to API_KEYS_FILE."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from tensoria.admission.key_editing import add, remove
from tensoria.admission.key_file import read
from tensoria.config import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.toml"


def names(path: Path) -> set[str]:
    return {key.name for key in read(path).values()}


def test_the_first_key_makes_the_file_for_its_owner_alone(path: Path) -> None:
    add(path, "ann", "1" * 64, {})

    assert path.read_text() == '[[keys]]\nname = "ann"\nsha256 = "' + "1" * 64 + '"\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["keys.toml"]


def test_a_file_that_others_could_read_is_closed(path: Path) -> None:
    add(path, "ann", "1" * 64, {})
    path.chmod(0o644)
    add(path, "bob", "2" * 64, {})

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_options_are_written_as_the_file_has_them(path: Path) -> None:
    options = {
        "requests_per_minute": 60,
        "models": ("mistral", 'odd"\\name'),
        "expires": date(2027, 1, 31),
        "end_users": True,
    }
    add(path, "ann", "1" * 64, options)

    assert path.read_text().splitlines()[3:] == [
        "requests_per_minute = 60",
        'models = ["mistral", "odd\\"\\\\name"]',
        "expires = 2027-01-31",
        "end_users = true",
    ]
    assert names(path) == {"ann"}


BY_HAND = (
    "# Our keys.\n\n# The front end.\n[[ keys ]]\nname = 'web'\nsha256 = '" + "1" * 64 + "'\n\n"
    "# Ann's, until June.\n[[keys]]\nname = 'ann'  # a person\nsha256 = '" + "2" * 64 + "'\n"
    "models = ['a',\n  'b']\n\n# Bob's.\n[[keys]]\nname = 'bob'\nsha256 = '" + "3" * 64 + "'\n"
)


@pytest.fixture
def by_hand(path: Path) -> Path:
    """A file that a person wrote."""
    path.parent.mkdir()
    path.write_text(BY_HAND)
    return path


def test_a_new_key_leaves_what_a_person_wrote(by_hand: Path) -> None:
    add(by_hand, "new", "4" * 64, {})

    assert by_hand.read_text().startswith(BY_HAND)
    assert names(by_hand) == {"web", "ann", "bob", "new"}


def test_a_revoked_key_takes_nothing_else_along(by_hand: Path) -> None:
    remove(by_hand, "ann")
    text = by_hand.read_text()

    assert names(by_hand) == {"web", "bob"}
    assert "# Our keys." in text
    assert "# The front end.\n[[ keys ]]" in text
    assert "# Bob's.\n[[keys]]\nname = 'bob'" in text


def test_all_keys_can_be_revoked(by_hand: Path) -> None:
    for name in ("bob", "web", "ann"):
        remove(by_hand, name)

    assert read(by_hand) == {}


@pytest.mark.parametrize("name", ["", "a b", "a\nb", 'a"', "a" * 65, "-a"])
def test_a_name_that_would_not_do_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="needs up to 64"):
        add(path, name, "1" * 64, {})
    assert not path.exists()


def test_a_name_that_is_taken_is_refused(by_hand: Path) -> None:
    with pytest.raises(ConfigError, match="'ann' already"):
        add(by_hand, "ann", "4" * 64, {})
    assert by_hand.read_text() == BY_HAND


def test_a_key_that_is_not_there_cannot_be_revoked(by_hand: Path) -> None:
    with pytest.raises(ConfigError, match="no key named 'eve'"):
        remove(by_hand, "eve")
    assert by_hand.read_text() == BY_HAND


@pytest.mark.parametrize("text", ["[[keys", "[[keys]]\nname = 'x'\n"])
def test_a_broken_file_is_left_alone(by_hand: Path, text: str) -> None:
    by_hand.write_text(text)
    with pytest.raises(ConfigError):
        add(by_hand, "new", "4" * 64, {})
    with pytest.raises(ConfigError):
        remove(by_hand, "x")
    assert by_hand.read_text() == text


def test_a_table_within_a_text_is_not_taken_for_a_key(by_hand: Path) -> None:
    """The file would not parse after it, so nothing is changed."""
    odd = "[[keys]]\nname = 'x'\nsha256 = '" + "1" * 64 + "'\nmodels = ['''\n[[keys]]\n''']\n"
    by_hand.write_text(odd)
    with pytest.raises(ConfigError):
        remove(by_hand, "x")
    assert by_hand.read_text() == odd


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be changed"):
        add(tmp_path / "file" / "keys.toml", "ann", "1" * 64, {})
    with pytest.raises(ConfigError, match="cannot be changed"):
        add(tmp_path, "ann", "1" * 64, {})


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    add(path, "ann", "1" * 64, {})
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    add(link, "bob", "2" * 64, {})

    assert link.is_symlink()
    assert names(path) == {"ann", "bob"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_leaves_the_file_to_its_owner(path: Path) -> None:
    add(path, "ann", "1" * 64, {})
    os.chown(path, 1234, 1235)
    add(path, "bob", "2" * 64, {})

    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_those_who_change_the_file_at_once_lose_nothing(path: Path) -> None:
    def make(number: int) -> None:
        add(path, f"key-{number}", f"{number:064x}", {})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(24)))

    assert names(path) == {f"key-{number}" for number in range(24)}
