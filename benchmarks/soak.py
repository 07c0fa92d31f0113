"""Hold streams with aborts, faults and reloads for a while, and show that nothing lies or leaks.

    python benchmarks/soak.py --minutes 20 --streams 500

Starts the mock of Ollama (compiled with gcc) and gunicorn with this checkout, on free ports of
loopback, and ends both by their ids. The same seed draws the same requests, faults and reloads.
Exit status 1 when a stream lied, when memory or descriptors grew, or when the engine is still busy
at the end; 2 when the soak could not be run.
"""

import argparse
import asyncio
import random
import resource
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import soak_processes as processes
from soak_report import Report
from soak_streams import LIMIT_SECONDS, Plan, Verdict, ask, models, plan

FREEZE_SECONDS = 1.0
# Less than most streams take, so that one which goes on for nobody is found.
FREE_SECONDS = 2
# One of each a minute or so; how many in a run, by its seconds.
SECONDS_PER_KILL, SECONDS_PER_FREEZE, SECONDS_PER_RELOAD = 40, 30, 100


def main() -> int:
    """Run it, print the table, and return the exit status."""
    args = _parse()
    _raise_file_limit()

    def run(folder: Path) -> tuple[str, list[str]]:
        report = _Soak(args, folder).run()
        return report.table(), report.complaints()

    return processes.conclude("tensoria-soak-", run)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--streams", type=int, default=500, help="held at the same time")
    parser.add_argument("--slots", type=int, default=4096, help="of a model; the others queue")
    parser.add_argument("--tokens", type=int, default=60, help="of a stream")
    parser.add_argument("--ms", type=int, default=100, help="between two tokens")
    parser.add_argument("--sample", type=float, default=3, help="seconds between two looks")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft != hard else (soft, hard))


class _Soak:
    """One run: the two processes, the streams, and what happens to them."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self._args = args
        self._folder = folder
        self._seconds = args.minutes * 60
        self._key = secrets.token_hex(12)
        self._port, self._engine_port = processes.free_port(), processes.free_port()
        names = models(args.tokens, args.ms)
        self._plain = Plan(model=names[None], tokens=args.tokens)
        self._engine = processes.engine(self._engine_port, list(names.values()), folder)
        self._gateway = processes.gateway(
            self._port, self._engine_port, self._key, names[None], args.slots, folder
        )
        self._report = Report(streams_held=args.streams)
        self._one_at_a_time = asyncio.Lock()
        self._until = 0.0

    def run(self) -> Report:
        """Start the processes, hold the streams, let all end, and end the processes."""
        try:
            self._start_engine()
            self._gateway.start()
            processes.wait_for(lambda: processes.listens(self._port), "the gateway")
            asyncio.run(self._hold())
            self._look_back()
        finally:
            self._gateway.end()
            self._engine.end()
        log = (self._folder / "gateway.log").read_text(errors="replace")
        self._report.tracebacks = log.count("Traceback (most recent call last)")
        return self._report

    async def _hold(self) -> None:
        first = await ask(self._port, self._key, self._plain)
        if first.end != "finished":
            raise processes.SoakError(f"the first stream: {first.end} {first.reason}")
        processes.wait_for_usage(self._folder)
        self._report.before = self._settled()
        self._until = time.monotonic() + self._seconds
        async with asyncio.TaskGroup() as group:
            for number in range(self._args.streams):
                group.create_task(self._one_after_another(number))
            group.create_task(self._look())
            for at_seconds, happens in self._events():
                group.create_task(self._at(at_seconds, happens))

    async def _one_after_another(self, number: int) -> None:
        """Keep one stream open until the time is over: when it ends, the next begins."""
        # Each place draws for itself, so that what it asks does not depend on the others' times.
        chance = random.Random(f"{self._args.seed}/{number}")
        await self._until_time(chance.uniform(0, min(self._seconds, 5) / 2))
        while time.monotonic() < self._until:
            planned = plan(chance, self._args.tokens, self._args.ms)
            self._note(planned, await ask(self._port, self._key, planned))

    def _note(self, planned: Plan, verdict: Verdict) -> None:
        self._report.ends[verdict.end] += 1
        if planned.fault:
            self._report.faults[planned.fault] += 1
        if verdict.end == "left" and planned.leave:
            self._report.aborts[planned.leave] += 1
        if verdict.end.startswith("error"):
            self._report.codes[verdict.reason] += 1
        if verdict.end == "lie":
            self._report.lies[verdict.reason] += 1

    def _events(self) -> list[tuple[float, Callable[[], None]]]:
        """Draw when the engine dies or freezes, and when the configuration is reloaded."""
        chance = random.Random(self._args.seed)
        drawn: list[tuple[float, Callable[[], None]]] = []
        for happens, seconds_each, until in (
            (self._kill, SECONDS_PER_KILL, 0.9),
            (self._freeze, SECONDS_PER_FREEZE, 0.9),
            (self._reload, SECONDS_PER_RELOAD, 0.5),
        ):
            for _ in range(max(1, round(self._seconds / seconds_each))):
                drawn.append((chance.uniform(0.1, until) * self._seconds, happens))
        return drawn

    async def _at(self, at_seconds: float, happens: Callable[[], None]) -> None:
        await self._until_time(at_seconds)
        # One after the other: a frozen engine is not killed, a dead one not frozen.
        async with self._one_at_a_time:
            await asyncio.to_thread(happens)

    async def _until_time(self, at_seconds: float) -> None:
        """Wait for a moment of the plan, in seconds from the start."""
        begun = self._until - self._seconds
        await asyncio.sleep(max(0.0, begun + at_seconds - time.monotonic()))

    def _kill(self) -> None:
        self._engine.kill()
        self._start_engine()
        self._report.faults["engine killed"] += 1

    def _start_engine(self) -> None:
        self._engine.start()
        processes.wait_for(lambda: processes.listens(self._engine_port), "the engine")

    def _freeze(self) -> None:
        self._engine.signal(signal.SIGSTOP)
        try:
            time.sleep(FREEZE_SECONDS)
        finally:
            self._engine.signal(signal.SIGCONT)
        self._report.faults["engine frozen"] += 1

    def _reload(self) -> None:
        self._gateway.signal(signal.SIGHUP)
        self._report.reloads += 1

    async def _look(self) -> None:
        while time.monotonic() < self._until:
            if seen := self._newest():
                self._report.samples.append(seen)
            await asyncio.sleep(self._args.sample)

    def _newest(self) -> processes.Sample | None:
        workers = processes.children_of(self._gateway.pid)
        return processes.sample(workers[-1], self._port, self._engine_port) if workers else None

    def _settled(self) -> processes.Sample | None:
        """Return a look at the only worker once it has no client."""

        def one_idle_worker() -> bool:
            seen = self._newest()
            alone = len(processes.children_of(self._gateway.pid)) == 1
            return alone and seen is not None and seen.clients == 0

        processes.wait_for(one_idle_worker, "the clients to be let go", LIMIT_SECONDS)
        return self._newest()

    def _look_back(self) -> None:
        """Look at what is left when all clients have gone."""
        self._report.after = self._settled()
        try:
            processes.wait_for(self._engine_is_free, "the engine to be free", FREE_SECONDS)
        except processes.SoakError:
            self._report.left_active = processes.active_at_engine(self._engine_port)

    def _engine_is_free(self) -> bool:
        return processes.active_at_engine(self._engine_port) == 0


if __name__ == "__main__":
    sys.exit(main())
