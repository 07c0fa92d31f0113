"""`tensoria usage`."""

from contextlib import closing
from pathlib import Path

import pytest

from tensoria.admission.usage_file import UsageFile
from tensoria.cli import main

# 2027-01-31 in days since 1970
DAY = 20849


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two workers' files, with what three callers have used."""
    monkeypatch.setenv("DATA_DIR", "kept")
    folder = tmp_path / "kept" / "usage"
    with closing(UsageFile(folder)) as one, closing(UsageFile(folder)) as two:
        one.write({(DAY - 1, "ann", ""): (1, 100, 5), (DAY, "team", "a\nb"): (1, 7, 7)})
        two.write({(DAY, "ann", ""): (2, 1000, 50)})
    return folder


def test_the_table_sums_over_all_workers(used: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage"]) == 0
    assert capsys.readouterr().out == (
        "KEY   END USER  REQUESTS  TOKENS IN  TOKENS OUT\n"
        "ann   -                3       1100          55\n"
        "team  a\\nb             1          7           7\n"
    )


def test_csv(used: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--csv"]) == 0
    assert capsys.readouterr().out == (
        'key,end_user,requests,tokens_in,tokens_out\nann,,3,1100,55\nteam,"a\nb",1,7,7\n'
    )


def test_since_a_day(used: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--csv", "--since", "2027-01-31"]) == 0
    assert "ann,,2,1000,50" in capsys.readouterr().out


def test_a_day_that_is_none_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--since", "monday"]) == 2
    assert capsys.readouterr().err.startswith("tensoria: --since must be a day")


def test_where_nothing_was_used_there_is_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage"]) == 0
    assert capsys.readouterr().out == "KEY  END USER  REQUESTS  TOKENS IN  TOKENS OUT\n"


def test_a_file_that_cannot_be_read_is_named(
    used: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (used / "worker-1.sqlite").write_bytes(b"no database at all" * 100)

    assert main(["usage"]) == 1
    assert "worker-1.sqlite" in capsys.readouterr().err
