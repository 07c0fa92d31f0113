"""`tensoria keys`."""

import hashlib
import re
from pathlib import Path

import pytest

from tensoria.admission.key_file import read
from tensoria.cli import main


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the settings name; it is not there yet."""
    monkeypatch.setenv("API_KEYS_FILE", "data/keys.toml")
    return tmp_path / "data" / "keys.toml"


def test_a_new_key_is_printed_once_and_only_its_hash_is_kept(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "new", "ann"]) == 0
    shown = capsys.readouterr()
    key = shown.out.removesuffix("\n")

    assert re.fullmatch(r"tensoria_[A-Za-z0-9_-]{64}", key)
    assert key not in shown.err
    assert "ann" in shown.err
    assert "shown once" in shown.err
    assert list(read(path)) == [hashlib.sha256(key.encode()).digest()]
    assert key not in path.read_text()


def test_two_keys_are_two(capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "new", "ann"])
    main(["keys", "new", "bob"])

    assert len(set(capsys.readouterr().out.split())) == 2


def test_options_become_those_of_the_file(path: Path) -> None:
    options = "--requests-per-minute 60 --tokens-per-minute 20000 --max-concurrency 2"
    rest = "--models mistral,qwen3:8b --expires 2027-01-31 --end-users"
    assert main(["keys", "new", "ann", *options.split(), *rest.split()]) == 0

    assert path.read_text().splitlines()[3:] == [
        "requests_per_minute = 60",
        "tokens_per_minute = 20000",
        "max_concurrency = 2",
        'models = ["mistral", "qwen3:8b"]',
        "expires = 2027-01-31",
        "end_users = true",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--requests-per-minute", "0"], "--requests-per-minute must be"),
        (["--tokens-per-minute", "many"], "--tokens-per-minute must be"),
        (["--max-concurrency", "1.5"], "--max-concurrency must be"),
        (["--max-concurrency", "9" * 30], "--max-concurrency must be"),
        (["--models", " , "], "--models must hold"),
        (["--models", "a\nb"], "--models must hold"),
        (["--expires", "soon"], "--expires must be a day"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["keys", "new", "ann", *arguments]) == 2
    shown = capsys.readouterr()

    assert shown.err.startswith(f"tensoria: {said}")
    assert shown.out == ""
    assert not path.exists()


def test_a_name_that_is_taken_makes_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "new", "ann"])
    capsys.readouterr()

    assert main(["keys", "new", "ann"]) == 2
    assert capsys.readouterr().out == ""


def test_the_list_shows_limits_and_no_hash(capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "new", "team", "--end-users"])
    main(["keys", "new", "ann", "--requests-per-minute", "60", "--models", "mistral"])
    main(["keys", "new", "bob", "--expires", "2027-01-31"])
    capsys.readouterr()

    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out == (
        "NAME  REQUESTS/MIN  TOKENS/MIN  AT A TIME  MODELS          EXPIRES               "
        "END USERS\n"
        "ann   60            -           -          mistral:latest  never                 no\n"
        "bob   -             -           -          all             2027-02-01 00:00 UTC  no\n"
        "team  -             -           -          all             never                 yes\n"
    )


def test_a_revoked_key_is_gone(path: Path) -> None:
    main(["keys", "new", "ann"])
    main(["keys", "new", "bob"])

    assert main(["keys", "revoke", "ann"]) == 0
    assert [key.name for key in read(path).values()] == ["bob"]
    assert main(["keys", "revoke", "ann"]) == 2


def test_without_a_file_in_the_settings_the_line_that_mends_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("API_KEYS_FILE")

    assert main(["keys", "list"]) == 1
    assert "API_KEYS_FILE=data/keys.toml" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["keys"], ["keys", "new"], ["keys", "drop", "ann"]])
def test_wrong_arguments_are_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
