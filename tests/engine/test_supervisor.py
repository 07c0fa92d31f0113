import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tensoria.engine.child import Told
from tensoria.engine.supervisor import Died, Event, GivenUp, Patience, Ready, Supervisor
from tests.engine.conftest import STUB
from tests.engine.living import is_alive, wait_until_gone
from tests.engine.stub_child import FIRST_PORT

QUICK = Patience(ready_seconds=20, first_pause_seconds=0.01, stop_seconds=0.5)
PARENT = """
import json, os, queue, sys
from tensoria.engine.supervisor import Supervisor
events = queue.SimpleQueue()
told = dict(model="", alias="", chat_template=None, port=0, api_key="", threads=1)
Supervisor(told, os.environ, events.put, command=sys.argv[1:]).start()
print(events.get().port, flush=True)
sys.stdin.read()
"""
Run = Callable[..., Supervisor]


@pytest.fixture
def events() -> "queue.SimpleQueue[Event]":
    return queue.SimpleQueue()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def run(
    told: Told,
    environ: dict[str, str],
    stub: Callable[..., tuple[str, ...]],
    events: "queue.SimpleQueue[Event]",
    journal: Path,
) -> Iterator[Run]:
    started: list[Supervisor] = []

    def start(mode: str, patience: Patience = QUICK) -> Supervisor:
        command = stub(mode, journal)
        started.append(Supervisor(told, environ, events.put, command=command, patience=patience))
        started[-1].start()
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.stop()


def starts(journal: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


def test_a_child_that_serves_is_ready(run: Run, events: "queue.SimpleQueue[Event]") -> None:
    run("serves")
    assert events.get(timeout=20) == Ready(FIRST_PORT)


def test_stop_ends_the_child_and_says_nothing(
    run: Run, events: "queue.SimpleQueue[Event]", journal: Path
) -> None:
    supervisor = run("serves")
    events.get(timeout=20)
    supervisor.stop()
    assert not is_alive(int(str(starts(journal)[0]["pid"])))
    assert events.empty()


def test_stop_does_not_wait_for_a_child_that_is_starting(run: Run, journal: Path) -> None:
    supervisor = run("never-ready")
    while not (journal.exists() and journal.read_text()):
        time.sleep(0.01)
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 5


def test_first_child_that_fails_is_given_up_at_once(
    run: Run, events: "queue.SimpleQueue[Event]", journal: Path
) -> None:
    """A bad model or too little memory would be the same the next time."""
    run("fails")
    assert events.get(timeout=20) == GivenUp("ended with code 1\n    first line\n    last line")
    assert len(starts(journal)) == 1


def test_first_child_that_is_never_ready_is_given_up(
    run: Run, events: "queue.SimpleQueue[Event]", journal: Path
) -> None:
    run("never-ready", Patience(ready_seconds=0.3, stop_seconds=0.5))
    assert events.get(timeout=20) == GivenUp("was not ready within 0.3 s")


def test_command_that_does_not_exist_is_given_up(
    told: Told, environ: dict[str, str], events: "queue.SimpleQueue[Event]"
) -> None:
    supervisor = Supervisor(told, environ, events.put, command=("/nowhere/python",))
    supervisor.start()
    assert events.get(timeout=20) == GivenUp("could not be started: No such file or directory")
    supervisor.stop()


def test_dead_child_is_replaced_on_its_port_under_its_key(
    run: Run, events: "queue.SimpleQueue[Event]", journal: Path
) -> None:
    """The gateway knows one address and one key for as long as it lives."""
    run("dies-once")
    seen = [events.get(timeout=20) for _ in range(3)]
    assert seen[0] == seen[2] == Ready(FIRST_PORT)
    assert isinstance(seen[1], Died)
    assert seen[1].reason.startswith("ended with code 3")
    assert [start["port"] for start in starts(journal)] == [0, FIRST_PORT]
    assert [start["api_key"] for start in starts(journal)] == ["random", "random"]


def test_fifth_death_within_a_minute_is_the_last(
    run: Run, events: "queue.SimpleQueue[Event]", journal: Path
) -> None:
    run("dies")
    seen = []
    while not seen or not isinstance(seen[-1], GivenUp):
        seen.append(events.get(timeout=20))
    pauses = [event.pause_seconds for event in seen if isinstance(event, Died)]
    assert pauses == [0.01, 0.02, 0.04, 0.08]
    assert len(starts(journal)) == 5


def test_deaths_far_apart_are_not_added_up(run: Run, events: "queue.SimpleQueue[Event]") -> None:
    run("dies", Patience(first_pause_seconds=0.01, window_seconds=0))
    seen = [events.get(timeout=20) for _ in range(14)]
    assert [type(event) for event in seen] == [Ready, Died] * 7


def test_stop_does_not_wait_for_a_pause(
    run: Run, events: "queue.SimpleQueue[Event]", journal: Path
) -> None:
    supervisor = run("dies", Patience(first_pause_seconds=60, longest_pause_seconds=60))
    while not isinstance(events.get(timeout=20), Died):
        pass
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 5
    assert len(starts(journal)) == 1


def test_pause_has_an_upper_bound(run: Run, events: "queue.SimpleQueue[Event]") -> None:
    run("dies", Patience(first_pause_seconds=0.01, longest_pause_seconds=0.02))
    pauses: list[float] = []
    while len(pauses) < 4:
        event = events.get(timeout=20)
        pauses += [event.pause_seconds] if isinstance(event, Died) else []
    assert pauses == [0.01, 0.02, 0.02, 0.02]


def test_defaults_are_those_of_the_specification() -> None:
    assert Patience() == Patience(20, 0.5, 30, deaths=5, window_seconds=60, stop_seconds=5)


def test_parent_killed_leaves_no_child(environ: dict[str, str], journal: Path) -> None:
    """A SIGKILL leaves the parent no time for anything; the end of its pipe is enough."""
    parent = subprocess.Popen(
        (sys.executable, "-c", PARENT, sys.executable, str(STUB), "deaf", str(journal)),
        env=environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == f"{FIRST_PORT}\n".encode()
    child = int(str(starts(journal)[0]["pid"]))
    assert is_alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    wait_until_gone(child)
