"""Who lives: asked of another process's lock, as of one's own."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tensoria.memory import workers
from tensoria.memory.workers import Worker, is_alive

_RUNS = """
import sys
from pathlib import Path
from tensoria.memory.workers import Worker
print(Worker(Path(sys.argv[1])).token(), flush=True)
sys.stdin.read()
"""


def test_a_worker_lives_until_it_closes(tmp_path: Path) -> None:
    with closing(Worker(tmp_path)) as worker:
        token = worker.token()
        assert worker.token() == token
        assert is_alive(tmp_path, token)

    assert not is_alive(tmp_path, token)


def test_the_next_one_in_its_place_is_another(tmp_path: Path) -> None:
    first = Worker(tmp_path)
    token = first.token()
    first.close()
    with closing(Worker(tmp_path)) as second:
        assert second.token() != token
        assert not is_alive(tmp_path, token)


def test_two_have_two_places(tmp_path: Path) -> None:
    with closing(Worker(tmp_path)) as one, closing(Worker(tmp_path)) as other:
        tokens = [one.token(), other.token()]

        assert [token.partition(":")[0] for token in tokens] == ["0", "1"]
        assert all(is_alive(tmp_path, token) for token in tokens)


def test_a_killed_process_is_dead(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RUNS, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        token = process.stdout.readline().strip()
        assert is_alive(tmp_path, token)
        process.kill()
        process.wait()

    assert not is_alive(tmp_path, token)


def test_who_has_no_file_is_dead(tmp_path: Path) -> None:
    assert not is_alive(tmp_path, "7:nobody")


def test_there_are_not_endlessly_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_WORKERS", 1)
    with closing(Worker(tmp_path)) as one, closing(Worker(tmp_path)) as other:
        one.token()
        with pytest.raises(OSError, match="all 1 locks"):
            other.token()
