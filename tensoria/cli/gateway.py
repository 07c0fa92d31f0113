"""The gateway as a child of `tensoria up`: gunicorn, in a process group of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import requests

from tensoria.cli.failures import CommandError
from tensoria.cli.serve import PARENT_PID

COMMAND = (sys.executable, "-m", "tensoria", "serve")
_HEALTH_SECONDS = 2
# Somebody sits at the terminal and waits: what runs after Ctrl-C gets this, then an error event.
GRACE = "3"


@dataclass(frozen=True)
class GatewayEnded:
    """The gateway's process is gone; a negative code is the signal that ended it."""

    code: int


class Gateway:
    """A started gateway; `notify` is told its end, from a thread."""

    def __init__(
        self,
        environ: Mapping[str, str],
        notify: Callable[[GatewayEnded], None],
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Start it; call this in the main thread, whose end is what PARENT_PID's reader watches.

        Its session is its own, so that a Ctrl-C reaches the parent alone, which ends the gateway
        first and the engine after it.
        """
        self._notify = notify
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env={**environ, "SHUTDOWN_GRACE_SECONDS": GRACE, PARENT_PID: str(os.getpid())},
            start_new_session=True,
        )
        threading.Thread(target=self._watch, name="gateway-watch", daemon=True).start()

    def ended(self) -> bool:
        """Tell whether the process is gone."""
        return self._process.poll() is not None

    def terminate(self) -> None:
        """Ask for an orderly end: running answers are finished."""
        self._process.terminate()

    def kill(self) -> None:
        """End what is left of it, workers included: gunicorn's group is named after it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _watch(self) -> None:
        self._notify(GatewayEnded(self._process.wait()))


def is_healthy(address: str) -> bool:
    """Tell whether the service at an address answers /health as ours does."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            response = session.get(f"{address}/health", timeout=_HEALTH_SECONDS)
            return response.status_code == 200 and response.json() == {"status": "ok"}
        except requests.RequestException:
            return False


def check_port_is_free(host: str, port: int) -> None:
    """Raise CommandError when the gateway could not listen there."""
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As gunicorn does: a port whose last connections are still in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        raise CommandError(
            f"API_PORT {port} on {host} cannot be used: {exc.strerror}. "
            "End what listens there, or set API_PORT to another one."
        ) from exc
