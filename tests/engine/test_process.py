import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tensoria.engine.child import Told
from tensoria.engine.process import EngineProcess
from tests.engine.living import is_alive
from tests.engine.stub_child import FIRST_PORT

Start = Callable[[str], EngineProcess]


@pytest.fixture
def start(
    told: Told, environ: dict[str, str], stub: Callable[..., tuple[str, ...]]
) -> Iterator[Start]:
    started = []

    def run(mode: str) -> EngineProcess:
        started.append(EngineProcess(stub(mode), told, environ))
        return started[-1]

    yield run
    for process in started:
        process.stop(0)
        process.last_words()


def test_ready_line_tells_the_port(start: Start) -> None:
    assert start("serves").wait_ready(20) == FIRST_PORT


def test_other_lines_before_the_ready_line_are_passed_over(start: Start) -> None:
    assert start("noisy").wait_ready(20) == FIRST_PORT


def test_a_child_that_dies_first_is_never_ready(start: Start) -> None:
    assert start("fails").wait_ready(20) is None


def test_a_child_that_is_never_ready_is_a_timeout(start: Start) -> None:
    process = start("never-ready")
    with pytest.raises(TimeoutError):
        process.wait_ready(0.2)


def test_last_words_are_the_exit_code_and_its_stderr(start: Start) -> None:
    assert start("fails").last_words() == "ended with code 1\n    first line\n    last line"


def test_last_words_name_the_signal(start: Start) -> None:
    process = start("serves")
    process.wait_ready(20)
    os.kill(process.pid, signal.SIGKILL)
    assert process.last_words().startswith("was ended by SIGKILL (is there enough memory?)\n")


def test_output_of_any_length_does_not_block_the_child(start: Start) -> None:
    process = start("chatty")
    process.wait_ready(20)
    lines = process.last_words().split()
    assert lines[-20:] == ["y"] * 19 + ["done"]


def test_stop_is_a_sigterm_first(start: Start) -> None:
    process = start("serves")
    process.wait_ready(20)
    process.stop(10)
    assert "SIGTERM" in process.last_words()


def test_stop_kills_a_child_that_ignores_sigterm(start: Start) -> None:
    process = start("deaf")
    process.wait_ready(20)
    started = time.monotonic()
    process.stop(0.2)
    assert time.monotonic() - started < 5
    assert not is_alive(process.pid)


def test_child_has_a_session_of_its_own(start: Start) -> None:
    """A Ctrl-C goes to the terminal's session, and only the parent is to act on it."""
    process = start("serves")
    process.wait_ready(20)
    assert os.getsid(process.pid) == process.pid
