"""The parent process of `tensoria up`: engine and gateway, from the start to the last of them."""

import queue
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from tensoria.cli import gateway
from tensoria.cli.embedded import Embedded
from tensoria.cli.failures import CommandError
from tensoria.cli.gateway import Gateway, GatewayEnded, is_healthy
from tensoria.engine import process
from tensoria.engine.child import Told
from tensoria.engine.failures import EngineError
from tensoria.engine.supervisor import Died, GivenUp, Patience, Ready, Supervisor
from tensoria.engine.supervisor import Event as EngineEvent

_HEALTHY_SECONDS = 30
_POLL_SECONDS = 0.05
_STOP_SECONDS = 5
_ENGINE, _EMBEDDINGS = "engine", "embeddings engine"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# https://docs.gunicorn.org: the arbiter's own exit codes.
_GUNICORN_CODES = {3: "a worker could not start", 4: "the application could not be loaded"}


class Stop:
    """A signal asked for the end."""


@dataclass(frozen=True)
class Of:
    """What happened to one of the engine's processes."""

    name: str
    event: EngineEvent


Event = Stop | GatewayEnded | Of


def say(line: str) -> None:
    """Tell the user on stderr; a terminal that is gone must not keep us from stopping."""
    try:
        print(f"tensoria: {line}", file=sys.stderr, flush=True)
    except OSError:
        return


def on_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    """Handle Ctrl-C, SIGTERM and a terminal's end alike.

    A SIGHUP that was ignored at the start (nohup) stays so; a SIGINT does not, because a shell
    ignores it in every process that a script starts in the background.
    """
    for number in _SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        signal.signal(number, handler)


class Session:
    """One run of engine and gateway; everything that happens comes through one queue."""

    def __init__(
        self,
        *,
        gateway_command: Sequence[str] = gateway.COMMAND,
        engine_command: Sequence[str] = process.COMMAND,
    ) -> None:
        self._gateway_command = gateway_command
        self._engine_command = engine_command
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._engines: list[Supervisor] = []
        self._gateway: Gateway | None = None

    def run(
        self, embedded: Embedded | None, environ: Mapping[str, str], address: str, banner: str
    ) -> int:
        """Start what is needed, print the banner once /health answers, and end with the gateway.

        Return the exit code: 0 after a signal, the gateway's own when it ended by itself. Raise
        EngineError or CommandError when something does not start. Nothing is left running.
        """
        on_signals(lambda *_: self._events.put(Stop()))
        try:
            if embedded is not None:
                connection = self._start_engines(embedded)
                if connection is None:
                    return 0
                environ = {**environ, **connection}
            self._gateway = Gateway(environ, self._events.put, self._gateway_command)
            code = self._wait_until_healthy(address)
            if code is None:
                print(banner, flush=True)
                code = self._follow()
            return code
        finally:
            self._stop()

    def _start_engines(self, embedded: Embedded) -> dict[str, str] | None:
        """Return the settings that lead to them; None when a signal came first."""
        port = self._start_engine(_ENGINE, embedded.told, embedded.environ, embedded.patience)
        second = embedded.embeddings
        if port is None or second is None:
            return None if port is None else embedded.connection(port)
        embeddings_port = self._start_engine(
            _EMBEDDINGS, second.told, embedded.environ, second.patience
        )
        return None if embeddings_port is None else embedded.connection(port, embeddings_port)

    def _start_engine(
        self, name: str, told: Told, environ: Mapping[str, str], patience: Patience
    ) -> int | None:
        """Return its port; None when a signal came first."""
        engine = Supervisor(
            told,
            environ,
            lambda event: self._events.put(Of(name, event)),
            command=self._engine_command,
            patience=patience,
        )
        self._engines.append(engine)
        engine.start()
        while True:
            match self._events.get():
                case Of(of, GivenUp(reason)) if of == name:
                    raise EngineError(f"The embedded {name} {reason}")
                case Of(of, Ready(port)) if of == name:
                    return port
                case event:
                    if self._react(event) is not None:
                        return None

    def _wait_until_healthy(self, address: str) -> int | None:
        """Return None once it answers, or the exit code when something ended it."""
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while time.monotonic() < deadline:
            try:
                code = self._react(self._events.get(timeout=_POLL_SECONDS))
            except queue.Empty:
                code = None
            if code is not None or is_healthy(address):
                return code
        raise CommandError(f"the gateway did not answer at {address} within {_HEALTHY_SECONDS} s")

    def _follow(self) -> int:
        while True:
            code = self._react(self._events.get())
            if code is not None:
                return code

    def _react(self, event: Event) -> int | None:
        """Tell the user what happened; return an exit code when it ends the session."""
        match event:
            case Stop():
                return 0
            case GatewayEnded(code):
                return _exit_code(code)
            case Of(name, Ready()):
                say(f"the {name} answers again.")
            case Of(name, Died(reason, pause_seconds)):
                first_line = reason.partition("\n")[0]
                say(f"the {name} {first_line}; it is started again in {pause_seconds:g} s.")
            case Of(name, GivenUp(reason)):
                say(f"the {name} is given up, the gateway stays (see /ready); it {reason}")
        return None

    def _stop(self) -> None:
        """End the gateway, whose answers need the engines, and then the engines."""
        if self._gateway is not None:
            self._stop_gateway(self._gateway)
        for engine in self._engines:
            engine.stop()

    def _stop_gateway(self, running: Gateway) -> None:
        """Give it 5 s to finish its answers; a second signal cuts that short."""
        running.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        while not running.ended():
            try:
                event = self._events.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(event, Stop | GatewayEnded):
                break
        running.kill()


def _exit_code(code: int) -> int:
    """Say why the gateway ended by itself, and return the code that a shell would."""
    if code < 0:
        say(f"the gateway was ended by {signal.Signals(-code).name}.")
        return 128 - code
    reason = _GUNICORN_CODES.get(code, "see its own lines above")
    say(f"the gateway ended with code {code} ({reason}).")
    return code
