"""The folder of the metrics: new at each start, gone at the end, and no reason not to start."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tensoria.metrics.base import FOLDER
from tensoria.server import metrics_folder

STARTED = SimpleNamespace(master_pid=0, reexec_pid=0)
UPGRADED = SimpleNamespace(master_pid=7, reexec_pid=0)
REPLACED = SimpleNamespace(master_pid=0, reexec_pid=8)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set first, so that it is taken back whatever the test does to it.
    monkeypatch.setenv(FOLDER, "")


def test_a_start_makes_a_folder_and_the_end_removes_it() -> None:
    metrics_folder.make(STARTED)
    made = Path(os.environ[FOLDER])

    assert list(made.glob("*.db")) == []
    (made / "counter_0.db").touch()
    metrics_folder.remove(STARTED)
    assert not made.exists()


def test_each_start_has_a_new_folder_within_the_chosen_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    for _ in range(2):
        monkeypatch.setenv(FOLDER, str(tmp_path / "chosen"))
        metrics_folder.make(STARTED)
        seen.add(os.environ[FOLDER])

    assert len(seen) == 2
    assert {Path(folder).parent for folder in seen} == {tmp_path / "chosen"}


def test_what_a_killed_service_left_is_cleared_away_and_what_is_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    metrics_folder.make(STARTED)
    in_use = Path(os.environ[FOLDER])
    left, begun, foreign = (tmp_path / f"tensoria-metrics-{name}" for name in ("a", "b", "c"))
    for folder in (left, begun):
        folder.mkdir()
    (left / "in-use").touch()
    foreign.touch()

    monkeypatch.setenv(FOLDER, str(tmp_path))
    metrics_folder.make(STARTED)

    assert set(tmp_path.iterdir()) == {in_use, Path(os.environ[FOLDER]), begun, foreign}


def test_an_upgrade_goes_on_in_the_folder_and_the_old_process_leaves_it() -> None:
    metrics_folder.make(STARTED)
    made = os.environ[FOLDER]

    metrics_folder.make(UPGRADED)
    metrics_folder.remove(REPLACED)

    assert os.environ[FOLDER] == made
    assert Path(made).exists()
    metrics_folder.remove(STARTED)


def test_where_no_folder_can_be_made_the_service_starts_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(FOLDER, str(tmp_path / "file" / "folder"))

    metrics_folder.make(STARTED)

    assert FOLDER not in os.environ
    assert "there are no metrics" in caplog.text
