"""Engine and gateway as children, both played by small programs."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tensoria.cli.embedded import Embedded, Embeddings
from tensoria.cli.failures import CommandError
from tensoria.cli.session import Session, on_signals, say
from tensoria.engine.failures import EngineError
from tensoria.engine.model import Model
from tensoria.engine.supervisor import Patience
from tests.cli import stub_gateway
from tests.engine import stub_child
from tests.engine.living import is_alive, wait_until_gone

MODEL = Model(Path("demo.gguf"), "smollm2:135m", "demo model", demo=True)
QUICK = Patience(first_pause_seconds=0.01, stop_seconds=1)


@pytest.fixture
def engine() -> Embedded:
    told: Any = {"model": "", "alias": "", "chat_template": None, "port": 0, "threads": 1}
    return Embedded(MODEL, {**told, "api_key": "random"}, dict(os.environ), QUICK)


def two_processes(engine: Embedded, patience: Patience = QUICK) -> Embedded:
    """Return the engine with a second process, for embeddings."""
    second = Embeddings(MODEL, {**engine.told, "embedding": True}, patience)
    return replace(engine, embeddings=second)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "gateway"


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    return tmp_path / "engines"


Run = Callable[..., int]


@pytest.fixture
def run(journal: Path, engines: Path, engine: Embedded, port: int) -> Run:
    """Run a session, and once its gateway listens, do something to it from another thread."""

    def session(
        gateway: str = "serves",
        child: str = "serves",
        *,
        embedded: bool = True,
        embeddings: bool = False,
        when: Callable[[], bool] | None = None,
        then: Callable[[], None] = interrupt,
    ) -> int:
        over = threading.Event()
        acting = threading.Thread(
            target=act, args=(when or (lambda: has_lines(journal)), then, over)
        )
        acting.start()
        try:
            return Session(
                gateway_command=(sys.executable, stub_gateway.__file__, gateway, str(journal)),
                engine_command=(sys.executable, stub_child.__file__, child, str(engines)),
            ).run(
                (two_processes(engine) if embeddings else engine) if embedded else None,
                {**os.environ, "API_PORT": str(port)},
                f"http://127.0.0.1:{port}",
                "the banner",
            )
        finally:
            over.set()
            acting.join()

    return session


def act(when: Callable[[], bool], then: Callable[[], None], over: threading.Event) -> None:
    """Do something as soon as a condition holds, unless the session is over before that."""
    done = False
    try:
        while not over.wait(0.01):
            if when():
                then()
                done = True
                return
    finally:
        if not done and not over.is_set():
            interrupt()


def has_lines(path: Path, lines: int = 1) -> bool:
    return path.exists() and len(path.read_text().splitlines()) >= lines


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def told(journal: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(journal.read_text())
    return content


def engine_pids(engines: Path) -> list[int]:
    return [json.loads(line)["pid"] for line in engines.read_text().splitlines()]


@dataclass
class Death:
    """A process of the engine is killed once, and what the user is told is kept in `told`."""

    engines: Path
    which: int
    name: str
    capsys: pytest.CaptureFixture[str]
    told: str = ""
    killed: bool = False

    def is_over(self) -> bool:
        """Tell whether the user knows by now that it was replaced."""
        if not self.killed:
            os.kill(engine_pids(self.engines)[self.which], signal.SIGKILL)
            self.killed = True
        self.told += self.capsys.readouterr().err
        return f"{self.name} answers again" in self.told


def test_gateway_is_started_with_the_engines_address_and_key(run: Run, journal: Path) -> None:
    assert run() == 0
    assert told(journal)["ENGINE_BASE_URL"] == f"http://127.0.0.1:{stub_child.FIRST_PORT}"
    assert told(journal)["ENGINE_API_KEY"] == "random"


def test_gateway_is_started_with_the_address_of_what_embeds(run: Run, journal: Path) -> None:
    assert run(embeddings=True) == 0
    assert told(journal)["ENGINE_BASE_URL"] == f"http://127.0.0.1:{stub_child.FIRST_PORT}"
    assert told(journal)["EMBEDDINGS_BASE_URL"] == f"http://127.0.0.1:{stub_child.FIRST_PORT + 1}"


def test_signal_ends_both_processes_of_the_engine(run: Run, journal: Path, engines: Path) -> None:
    assert run(embeddings=True) == 0
    assert len(engine_pids(engines)) == 2
    wait_until_gone(told(journal)["pid"], *engine_pids(engines))


def test_second_process_that_dies_is_replaced_and_told_by_its_name(
    run: Run, journal: Path, engines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    death = Death(engines, 1, "the embeddings engine", capsys)
    assert run(embeddings=True, when=lambda: has_lines(journal) and death.is_over()) == 0
    assert death.told.splitlines() == [
        "tensoria: the embeddings engine was ended by SIGKILL (is there enough memory?); "
        "it is started again in 0.01 s.",
        "tensoria: the embeddings engine answers again.",
    ]


def test_second_process_that_does_not_start_ends_the_first(
    run: Run, journal: Path, engines: Path
) -> None:
    with pytest.raises(EngineError) as raised:
        run(child="fails-to-embed", embeddings=True)
    assert str(raised.value).startswith("The embedded embeddings engine ended with code 1\n")
    assert not journal.exists()
    wait_until_gone(*engine_pids(engines))


def test_signal_while_the_second_process_loads_ends_both(
    run: Run, journal: Path, engines: Path
) -> None:
    loading = run(child="never-embeds", embeddings=True, when=lambda: has_lines(engines, 2))
    assert loading == 0
    wait_until_gone(*engine_pids(engines))
    assert not journal.exists()


def test_first_process_that_dies_while_the_second_loads_is_told_and_replaced(
    run: Run, journal: Path, engines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    death = Death(engines, 0, "the engine", capsys)

    def is_over() -> bool:
        return has_lines(engines, 2) and death.is_over()

    assert run(child="never-embeds", embeddings=True, when=is_over) == 0
    wait_until_gone(*engine_pids(engines))


def test_without_an_embedded_engine_the_gateway_is_started_alone(
    run: Run, journal: Path, engines: Path
) -> None:
    assert run(embedded=False) == 0
    assert "ENGINE" not in told(journal)
    assert not engines.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_both_and_is_exit_code_0(
    run: Run, journal: Path, engines: Path, number: signal.Signals
) -> None:
    assert run(then=lambda: os.kill(os.getpid(), number)) == 0
    assert not is_alive(told(journal)["pid"])
    assert not is_alive(engine_pids(engines)[0])


def test_second_signal_ends_a_gateway_that_takes_its_time(run: Run, journal: Path) -> None:
    """With its worker, which is in the same process group."""
    started = time.monotonic()
    assert run("deaf", then=lambda: (interrupt(), time.sleep(0.1), interrupt())) == 0
    assert time.monotonic() - started < 4.5
    wait_until_gone(told(journal)["pid"], told(journal)["worker"])


def test_gateway_that_ignores_the_end_is_killed_after_5_seconds(
    run: Run, journal: Path, engines: Path
) -> None:
    started = time.monotonic()
    assert run("deaf") == 0
    assert time.monotonic() - started > 4.5
    wait_until_gone(told(journal)["pid"], told(journal)["worker"], *engine_pids(engines))


def test_gateway_that_ends_by_itself_ends_the_command_with_its_code(
    run: Run, engines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("fails") == 3
    errors = capsys.readouterr().err
    assert "tensoria: the gateway ended with code 3 (a worker could not start)." in errors
    assert not is_alive(engine_pids(engines)[0])


def test_gateway_that_is_killed_ends_the_command_as_a_shell_would(
    run: Run, journal: Path, engines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(then=lambda: os.kill(told(journal)["pid"], signal.SIGKILL)) == 137
    assert "tensoria: the gateway was ended by SIGKILL." in capsys.readouterr().err
    assert not is_alive(engine_pids(engines)[0])


def test_engine_that_does_not_start_is_told_and_no_gateway_is_started(
    run: Run, journal: Path
) -> None:
    with pytest.raises(EngineError) as raised:
        run(child="fails")
    assert str(raised.value) == (
        "The embedded engine ended with code 1\n    first line\n    last line"
    )
    assert not journal.exists()


def test_signal_while_the_engine_loads_ends_it(run: Run, journal: Path, engines: Path) -> None:
    assert run(child="never-ready", when=lambda: has_lines(engines)) == 0
    assert not is_alive(engine_pids(engines)[0])
    assert not journal.exists()


def test_engine_that_dies_is_replaced_and_told(
    run: Run, journal: Path, engines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    death = Death(engines, 0, "the engine", capsys)
    assert run(when=lambda: has_lines(journal) and death.is_over()) == 0
    told_user = death.told.splitlines()
    assert told_user[0] == (
        "tensoria: the engine was ended by SIGKILL (is there enough memory?); "
        "it is started again in 0.01 s."
    )
    assert told_user[1] == "tensoria: the engine answers again."


def test_engine_that_is_given_up_leaves_the_gateway_running(
    run: Run, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    errors: list[str] = []
    alive: list[bool] = []

    def is_given_up() -> bool:
        errors.append(capsys.readouterr().err)
        return "is given up" in "".join(errors) and has_lines(journal)

    def look_and_interrupt() -> None:
        alive.append(is_alive(told(journal)["pid"]))
        interrupt()

    assert run(child="dies", when=is_given_up, then=look_and_interrupt) == 0
    assert alive == [True]
    assert "the gateway stays (see /ready); it ended with code 3\n" in "".join(errors)


def test_gateway_that_never_answers_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, engines: Path
) -> None:
    monkeypatch.setattr("tensoria.cli.session._HEALTHY_SECONDS", 0.3)
    with pytest.raises(CommandError, match=r"did not answer at .* within 0\.3 s"):
        run("silent", when=lambda: False)
    assert not is_alive(engine_pids(engines)[0])


def test_terminal_that_is_gone_does_not_keep_it_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path("/dev/null").open() as unwritable:
        monkeypatch.setattr(sys, "stderr", unwritable)
        say("nobody reads this")


def test_sighup_that_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    on_signals(signal.default_int_handler)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
