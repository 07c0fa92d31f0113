"""Keeps the engine's process alive, on one port and under one key, until told to stop."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tensoria.engine.child import Told
from tensoria.engine.process import COMMAND, EngineProcess


@dataclass(frozen=True)
class Patience:
    """How long is waited, and how often something is tried again."""

    ready_seconds: float = 20
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30
    deaths: int = 5
    window_seconds: float = 60
    stop_seconds: float = 5


@dataclass(frozen=True)
class Ready:
    """A child serves on this port; the same one at each restart."""

    port: int


@dataclass(frozen=True)
class Died:
    """A child that had to be replaced; the next one comes after the pause."""

    reason: str
    pause_seconds: float


@dataclass(frozen=True)
class GivenUp:
    """There will be no other child: the first did not start, or too many died."""

    reason: str


Event = Ready | Died | GivenUp


class Supervisor:
    """One thread that starts, watches and restarts the child, and notifies of each change.

        state       ends by                          then
        starting    the ready line                   serving, Ready
                    death or 20 s, the first child   over, GivenUp: a fault that would repeat
                    death or 20 s, a later child     pausing, Died
        serving     the child's death                pausing, Died
        pausing     0.5 s, doubled up to 30 s        starting, with the port of the first child
        any         the fifth death within 60 s      over, GivenUp
        any         stop()                           over, without a notification

    `notify` is called from that thread.
    """

    def __init__(
        self,
        told: Told,
        environ: Mapping[str, str],
        notify: Callable[[Event], None],
        *,
        command: Sequence[str] = COMMAND,
        patience: Patience = Patience(),
    ) -> None:
        # Its port is 0 until the first child has told which one it found.
        self._told = told
        self._environ = environ
        self._notify = notify
        self._command = command
        self._patience = patience
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: EngineProcess | None = None
        self._deaths: deque[float] = deque()
        self._thread = threading.Thread(target=self._supervise, name="engine-supervisor")

    def start(self) -> None:
        """Start the thread; what comes of it is told through `notify`."""
        self._thread.start()

    def stop(self) -> None:
        """End the child and the thread; returns when both are gone."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            process.stop(self._patience.stop_seconds)
        self._thread.join()

    def _supervise(self) -> None:
        while True:
            reason = self._live()
            if self._stopping.is_set():
                return
            pause = self._pause_after_death()
            if self._told["port"] == 0 or pause is None:
                self._notify(GivenUp(reason))
                return
            self._notify(Died(reason, pause))
            self._stopping.wait(pause)

    def _live(self) -> str:
        """Have one child, until it ends; say how it ended."""
        try:
            process = self._spawn()
        except OSError as exc:
            return f"could not be started: {exc.strerror}"
        if process is None:
            return "was not started"
        try:
            port = process.wait_ready(self._patience.ready_seconds)
        except TimeoutError:
            process.stop(self._patience.stop_seconds)
            return f"was not ready within {self._patience.ready_seconds:g} s"
        if port is not None:
            self._told = {**self._told, "port": port}
            self._notify(Ready(port))
        return process.last_words()

    def _spawn(self) -> EngineProcess | None:
        """Start a child, unless stop() has been called: what starts here, stop() sees."""
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = EngineProcess(self._command, self._told, self._environ)
            return self._process

    def _pause_after_death(self) -> float | None:
        """Return how long to pause, or None when it is time to give up."""
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - self._patience.window_seconds:
            self._deaths.popleft()
        if len(self._deaths) >= self._patience.deaths:
            return None
        doubled = self._patience.first_pause_seconds * 2.0 ** (len(self._deaths) - 1)
        return min(doubled, self._patience.longest_pause_seconds)
