"""Leave thousands of requests in every state of theirs, and show that nothing is left behind.

    python benchmarks/aborts.py --aborts 10000

Starts the mock of Ollama (compiled with gcc) and gunicorn with this checkout, on free ports of
loopback, and ends both by their ids. Exit status 1 when something was left over, when memory grew
or when a request after all of them fails; 2 when it could not be run.
"""

import argparse
import contextlib
import itertools
import json
import random
import secrets
import socket
import sys
import time
import urllib.request
from pathlib import Path

import soak_processes as processes
from aborts_clients import (
    ANY,
    LIMIT_SECONDS,
    RECEIVE_BYTES,
    ROUNDS,
    STATES,
    WHOLE,
    Round,
    connect,
    leave,
    read_until,
    to_request,
)
from soak_report import Report
from soak_streams import Plan, verdict

MOST_SECONDS_BETWEEN = 0.003


def main() -> int:
    """Run it, print the table, and return the exit status."""
    args = _parse()

    def run(folder: Path) -> tuple[str, list[str]]:
        aborts = _Aborts(args, folder)
        complaints = aborts.run()
        return aborts.table(), complaints

    return processes.conclude("tensoria-aborts-", run)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--aborts", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=40, help="that leave together")
    return parser.parse_args()


class _Aborts:
    """One run: the two processes, the rounds, and a look before and after."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self._clients: int = args.clients
        self._rounds = -(-args.aborts // args.clients)
        self._folder = folder
        self._key = secrets.token_hex(12)
        self._port, self._engine_port = processes.free_port(), processes.free_port()
        self._slots = 3 * args.clients
        names = sorted({each.model for each in ROUNDS} | {WHOLE})
        self._engine = processes.engine(self._engine_port, names, folder)
        self._gateway = processes.gateway(
            self._port, self._engine_port, self._key, WHOLE, self._slots, folder,
            app="aborts_app:app",
        )  # fmt: skip
        self._report = Report(streams_held=2 * self._slots + 8)
        self._greenlets: list[int] = []
        self._seconds = 0.0
        self._left = self._logged = 0
        self._chance = random.Random(1)

    def run(self) -> list[str]:
        """Return what is not as it must be."""
        try:
            self._engine.start()
            self._gateway.start()
            for port in (self._port, self._engine_port):
                processes.wait_for(lambda port=port: processes.listens(port), "a port")
            with contextlib.ExitStack() as held:
                self._hold(held)
                self._leave_all()
            self._wait_for_state(running=0, waiting=0, active=0)
            answer = self._ask_to_the_end()
        finally:
            self._gateway.end()
            self._engine.end()
        return self._complaints(answer)

    def _hold(self, held: contextlib.ExitStack) -> None:
        """Take every slot of the model whose clients are to be queued."""
        for _ in range(self._slots):
            planned = Round("queued", True, "FIN")
            held.enter_context(connect(self._port, self._key, planned, RECEIVE_BYTES * 64))
        self._wait_for_state(running=self._slots, waiting=0, active=self._slots)

    def _leave_all(self) -> None:
        # One of each before the first look: what is made once is no leak.
        for each in ROUNDS:
            self._leave(each)
        processes.wait_for_usage(self._folder)
        self._look()
        self._report.before = self._report.samples[-1]
        begun = time.monotonic()
        for each in itertools.islice(itertools.cycle(ROUNDS), self._rounds):
            self._leave(each)
            self._report.aborts[f"{each.state}, {each.leave}"] += self._clients
            self._look()
        self._seconds = time.monotonic() - begun
        self._wait_for_greenlets()
        self._report.after = self._report.samples[-1]

    def _leave(self, planned: Round) -> None:
        runs, queued = planned.runs * self._clients, planned.state == "queued"
        clients = [connect(self._port, self._key, planned) for _ in range(self._clients)]
        if planned.reads:
            for client in clients:
                read_until(client, b'"content":"tok')
        if planned.state != ANY:
            self._wait_for_state(
                running=self._slots + (0 if queued else runs),
                waiting=runs if queued else 0,
                active=self._slots + (0 if queued else runs),
            )
            self._left += self._clients
        for client in clients:
            if planned.state == ANY:
                time.sleep(self._chance.uniform(0, MOST_SECONDS_BETWEEN))
            leave(client, planned.leave)
        self._wait_for_state(running=self._slots, waiting=0, active=self._slots)

    def _ask_to_the_end(self) -> str:
        """Return how a request ends that nobody leaves."""
        asked = {"model": WHOLE, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        with socket.create_connection(("127.0.0.1", self._port), LIMIT_SECONDS) as client:
            client.sendall(to_request(self._key, asked))
            with client.makefile("rb") as file:
                return verdict(file.read(), Plan(model=WHOLE, tokens=20)).end

    def _wait_for_state(self, **wanted: int) -> None:
        """Return when so many run and wait, here and at the engine, or raise SoakError."""

        def as_wanted() -> bool:
            return {**self._state(), "active": self._active()}.items() >= wanted.items()

        processes.wait_for(as_wanted, f"{wanted}, not {self._state()}", LIMIT_SECONDS)

    def _state(self) -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/__state", timeout=10) as told:
            state: dict[str, int] = json.load(told)
        return state

    def _active(self) -> int:
        return processes.active_at_engine(self._engine_port)

    def _look(self) -> None:
        """Look at the worker when only those who hold slots are left."""
        pid = processes.children_of(self._gateway.pid)[-1]

        def settled() -> processes.Sample | None:
            seen = processes.sample(pid, self._port, self._engine_port)
            return seen if seen and seen.clients == self._slots else None

        processes.wait_for(lambda: settled() is not None, "connections to end", LIMIT_SECONDS)
        seen = settled()
        if seen is not None:
            self._report.samples.append(seen)
        self._greenlets.append(self._state()["greenlets"])

    def _wait_for_greenlets(self) -> None:
        """Some are on their way out when the last client has gone."""

        def as_before() -> bool:
            self._greenlets[-1] = self._state()["greenlets"]
            return self._greenlets[-1] <= self._greenlets[0]

        with contextlib.suppress(processes.SoakError):
            processes.wait_for(as_before, "greenlets to end", LIMIT_SECONDS)

    def _complaints(self, answer: str) -> list[str]:
        log = (self._folder / "gateway.log").read_text(errors="replace")
        self._report.tracebacks = log.count("Traceback (most recent call last)")
        self._logged = log.count(" status=499 ")
        found = self._report.complaints()
        if self._greenlets[-1] > self._greenlets[0]:
            found.append("greenlets are left over")
        if self._logged < self._left:
            found.append(f"{self._left} left, and {self._logged} are logged as such")
        if answer != "finished":
            found.append(f"a request after all of them: {answer}")
        return found

    def table(self) -> str:
        """Return what was seen as Markdown."""
        first, last, growth = self._report.rss()
        before, after = self._report.before, self._report.after
        by_state = {
            state: sum(n for name, n in self._report.aborts.items() if name.startswith(state))
            for state in STATES
        }
        rows = {
            "aborts": f"{self._report.aborts.total()} in {self._seconds:.0f} s",
            "by state": ", ".join(f"{count} {state}" for state, count in by_state.items()),
            "logged as 499": f"{self._logged}, with a first round of each",
            "greenlets, first, last": f"{self._greenlets[0]}, {self._greenlets[-1]}",
            "descriptors, first, last": f"{before and before.descriptors}, "
            f"{after and after.descriptors}",
            "in the pool, first, last": f"{before and before.engine_connections}, "
            f"{after and after.engine_connections}",
            "RSS, first, last": f"{first:.1f}, {last:.1f} MB"
            + (f" ({growth:+.1f} %)" if growth is not None else ""),
            "tracebacks": str(self._report.tracebacks),
        }
        width = max(map(len, rows))
        return "\n".join(f"| {name:<{width}} | {value} |" for name, value in rows.items())


if __name__ == "__main__":
    sys.exit(main())
