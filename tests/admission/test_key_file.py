"""API_KEYS_FILE: what a good one means, and what is said of a bad one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tensoria.admission.key import Key
from tensoria.admission.key_file import parse, read
from tensoria.config import ConfigError

# printf one | sha256sum
ONE = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
WHOLE = f"""
[[keys]]
name = "ann"
sha256 = "{ONE}"
requests_per_minute = 60
tokens_per_minute = 20000
max_concurrency = 2
models = ["Mistral", "qwen3:8b"]
expires = 2027-01-31
end_users = true
"""


def entry(*lines: str) -> str:
    return "\n".join(["[[keys]]", 'name = "ann"', f'sha256 = "{ONE}"', *lines])


def test_all_of_a_key_is_read() -> None:
    assert parse(WHOLE) == {
        bytes.fromhex(ONE): Key(
            name="ann",
            requests_per_minute=60,
            tokens_per_minute=20000,
            max_concurrency=2,
            models=frozenset({"mistral:latest", "qwen3:8b"}),
            expires=datetime(2027, 2, 1, tzinfo=UTC),
            end_users=True,
            listed=True,
        )
    }


def test_what_is_left_out_is_no_limit() -> None:
    assert parse(entry()) == {bytes.fromhex(ONE): Key(name="ann", listed=True)}


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2027-01-31", datetime(2027, 2, 1, tzinfo=UTC)),
        ("2027-01-31T12:00:00", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00-03:00", datetime(2027, 1, 31, 15, tzinfo=UTC)),
    ],
)
def test_when_a_key_expires(written: str, moment: datetime) -> None:
    """A day counts to its end."""
    (key,) = parse(entry(f"expires = {written}")).values()

    assert key.expires == moment


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "keys = []"])
def test_a_file_without_keys_is_good(text: str) -> None:
    assert parse(text) == {}


BAD = [
    ("no TOML", "[[keys]", "is not TOML"),
    ("a table in place of a list", "[keys]\nname = 1", "tables named"),
    ("another table", "[others]", "tables named"),
    ("a number in place of a table", "keys = [1]", "key number 1 needs a name"),
    ("no name", "[[keys]]", "key number 1 needs a name"),
    ("a name with a blank", '[[keys]]\nname = "a b"', "key number 1 needs a name"),
    ("a long name", f'[[keys]]\nname = "{"a" * 65}"', "key number 1 needs a name"),
    ("no digest", '[[keys]]\nname = "ann"', "sha256 of 'ann'"),
    ("a key in place of its digest", '[[keys]]\nname = "ann"\nsha256 = "tensoria_x"', "sha256 of"),
    ("a digest that is a number", '[[keys]]\nname = "ann"\nsha256 = 7', "sha256 of 'ann'"),
    ("an option that is none", entry("request_per_minute = 3"), "'request_per_minute'"),
    ("a limit of none", entry("requests_per_minute = 0"), "requests_per_minute of 'ann'"),
    ("a limit in words", entry('tokens_per_minute = "5"'), "tokens_per_minute of 'ann'"),
    ("a limit that is true", entry("max_concurrency = true"), "max_concurrency of 'ann'"),
    ("a fraction", entry("max_concurrency = 1.5"), "max_concurrency of 'ann'"),
    ("one model in place of a list", entry('models = "mistral"'), "models of 'ann'"),
    ("a model that is a number", entry("models = [1]"), "models of 'ann'"),
    ("a day in quotes", entry('expires = "2027-01-31"'), "expires of 'ann'"),
    ("a flag in words", entry('end_users = "yes"'), "end_users of 'ann'"),
    ("one name twice", entry() + "\n" + entry().replace("7", "8"), "'ann' has a name"),
    ("one digest twice", entry() + "\n" + entry().replace("ann", "bob"), "'bob' has a name"),
]


@pytest.mark.parametrize(("_name", "text", "said"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_file_is_refused_by_what_is_wrong(_name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^API_KEYS_FILE") as caught:
        parse(text)

    assert said in str(caught.value)
    assert ONE not in str(caught.value)
    assert "tensoria_x" not in str(caught.value)


def test_a_file_that_is_not_there_has_no_keys(tmp_path: Path) -> None:
    assert read(tmp_path / "keys.toml") == {}


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(WHOLE, encoding="utf-8-sig")

    assert len(read(tmp_path / "keys.toml")) == 1


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_bytes(b"\xff\xfe\x80")
    for path in (tmp_path / "keys.toml", tmp_path):
        with pytest.raises(ConfigError, match=r"^API_KEYS_FILE cannot be read"):
            read(path)
