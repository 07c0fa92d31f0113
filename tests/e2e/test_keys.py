"""Keys over reloads, and usage over locks and crashes, with the real worker."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tensoria.admission.usage_file import read
from tests.e2e.service import (
    GUNICORN,
    ROOT,
    Service,
    clean_environment,
    free_port,
    running,
    wait_for,
)
from tests.e2e.test_service import raw_chat, read_until
from tests.fake_ollama import FakeOllama, chat_line, done_line, hang, stream

pytestmark = pytest.mark.e2e

SERVE = (sys.executable, "-m", "tensoria", "serve")
BODY = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
# What the fake's "Hello" takes.
IN, OUT = 27, 8


class Gateway:
    """A service with a keys file, and the command line beside it, in one folder."""

    def __init__(self, process: subprocess.Popen[bytes], service: Service, folder: Path) -> None:
        self.process = process
        self.service = service
        self.folder = folder
        self.usage = folder / "data" / "usage"
        self.file = folder / "data" / "keys.toml"

    def command(self, *arguments: str) -> str:
        """Run `tensoria` and return what it prints."""
        return subprocess.run(
            [sys.executable, "-m", "tensoria", *arguments],
            cwd=self.folder,
            env={**clean_environment(self.folder), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def ask(self, key: str) -> int | None:
        """Chat, and return the status, or None where nobody answers."""
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.post(
                    f"{self.service.url}/v1/chat/completions",
                    json=BODY,
                    headers={"X-API-Key": key},
                    timeout=20,
                ).status_code
            except requests.ConnectionError:
                return None

    def workers(self) -> list[int]:
        """Return the processes that answer."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        wait_for(condition, what, self.service.log)

    def reload(self) -> None:
        """Send HUP, and return when the old worker has gone and the new one answers."""
        before = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        self.wait(
            lambda: bool(self.workers()) and not before & set(self.workers()), "another worker"
        )
        self.wait(lambda: self.ask(self.service.key) == 200, "its answer")

    def replace(self) -> None:
        """Kill the worker with -9, and return when another answers."""
        (worker,) = self.workers()
        os.kill(worker, signal.SIGKILL)
        self.wait(lambda: self.workers() not in ([], [worker]), "a new worker")
        self.wait(lambda: self.ask(self.service.key) == 200, "its answer")


@pytest.fixture
def start(tmp_path: Path, fake: FakeOllama) -> Iterator[Callable[[Sequence[str]], Gateway]]:
    """Start a service by either command, with the key `one` and a keys file that is not there."""
    stack = ExitStack()

    def start(command: Sequence[str] = GUNICORN) -> Gateway:
        port = free_port()
        environ = {**clean_environment(tmp_path), "PYTHONPATH": str(ROOT)}
        lines = [
            "API_KEY=one",
            "API_KEYS_FILE=data/keys.toml",
            f"API_PORT={port}",
            f"OLLAMA_BASE_URL={fake.url}",
            "DEFAULT_MODEL=smollm2:135m",
            "MAX_CONCURRENCY=16",
            "SHUTDOWN_GRACE_SECONDS=2",
        ]
        (tmp_path / ".env").write_text("\n".join(lines))
        process, log = stack.enter_context(running(command, tmp_path, environ))
        gateway = Gateway(process, Service(port=port, key="one", log=log), tmp_path)
        gateway.wait(lambda: gateway.ask("one") == 200, "the first answer")
        return gateway

    with stack:
        yield start


@pytest.mark.parametrize("command", [GUNICORN, SERVE], ids=["gunicorn", "serve"])
def test_keys_come_and_go_by_reloads_and_a_broken_file_leaves_the_old_ones(
    start: Callable[..., Gateway], command: Sequence[str]
) -> None:
    gateway = start(command)
    ann = gateway.command("keys", "new", "ann")
    before = gateway.ask(ann)
    gateway.reload()
    made = gateway.ask(ann)
    gateway.command("keys", "revoke", "ann")
    bob = gateway.command("keys", "new", "bob")
    good = gateway.file.read_text()
    gateway.file.write_text(good + "[[keys")
    gateway.reload()
    broken = (gateway.ask(ann), gateway.ask(bob))
    gateway.replace()
    replaced = (gateway.ask(ann), gateway.ask(bob))
    gateway.file.write_text(good)
    gateway.reload()
    mended = (gateway.ask(ann), gateway.ask(bob))
    log = gateway.service.log.read_text()

    assert (before, made) == (401, 200)
    assert (broken, replaced, mended) == ((200, 401), (200, 401), (401, 200))
    assert log.count("the old keys stay: API_KEYS_FILE is not TOML") == 1
    assert "key=ann" in log
    assert not [key for key in (ann, bob) if key in log]


def test_no_key_is_seen_among_the_processes(start: Callable[..., Gateway]) -> None:
    gateway = start()
    ann = gateway.command("keys", "new", "ann")
    gateway.reload()
    gateway.ask(ann)
    for pid in (gateway.process.pid, *gateway.workers()):
        shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/comm").read_bytes()
        assert ann.encode() not in shown


@pytest.mark.parametrize("command", [GUNICORN, SERVE], ids=["gunicorn", "serve"])
def test_a_broken_file_stops_the_start_by_name(
    tmp_path: Path, fake: FakeOllama, command: Sequence[str]
) -> None:
    (tmp_path / "keys.toml").write_text("[[keys")
    environ = {
        **clean_environment(tmp_path),
        "PYTHONPATH": str(ROOT),
        "API_KEYS_FILE": "keys.toml",
        "API_PORT": str(free_port()),
        "OLLAMA_BASE_URL": fake.url,
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode != 0
    assert "API_KEYS_FILE is not TOML" in done.stderr


def test_a_stop_writes_what_is_left_of_the_usage(start: Callable[..., Gateway]) -> None:
    gateway = start()
    for _ in range(3):
        gateway.ask("one")
    gateway.process.terminate()

    assert gateway.process.wait(15) == 0
    ((name, counts),) = read(gateway.usage).items()
    assert name[0].startswith("key ")
    assert counts == (4, 4 * IN, 4 * OUT)
    assert gateway.command("usage", "--csv").endswith(f"4,{4 * IN},{4 * OUT}")


def test_a_kill_loses_at_most_the_last_second_of_usage(start: Callable[..., Gateway]) -> None:
    gateway = start()

    def requests_counted() -> int:
        return sum(counts[0] for counts in read(gateway.usage).values())

    for _ in range(9):
        gateway.ask("one")
    # The first answer of the start is the tenth.
    gateway.wait(lambda: requests_counted() == 10, "the writer, who comes once a second")
    gateway.replace()
    for _ in range(4):
        gateway.ask("one")
    gateway.wait(lambda: requests_counted() == 15, "the next worker's usage")

    assert [path.name for path in gateway.usage.glob("*.sqlite")] == ["worker-0.sqlite"]


def test_a_locked_database_stalls_no_stream_and_loses_nothing(
    start: Callable[..., Gateway], fake: FakeOllama
) -> None:
    gateway = start()
    gateway.wait(lambda: len(read(gateway.usage)) == 1, "the first write")
    more = [threading.Event() for _ in range(20)]
    lines = [each for number, gate in enumerate(more) for each in (chat_line(f"<{number}>"), gate)]
    fake.script("/api/chat", stream([*lines, done_line()]))
    with (
        closing(sqlite3.connect(gateway.usage / "worker-0.sqlite", isolation_level=None)) as holder,
        raw_chat(gateway.service, stream=True) as streaming,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        read_until(streaming, b"<0>")
        fake.script("/api/chat", stream([chat_line("A"), done_line()]))
        assert gateway.ask("one") == 200
        gateway.wait(lambda: "waits in memory" in gateway.service.log.read_text(), "the warning")
        # Each chunk is sent when the client has the one before.
        for number, gate in enumerate(more):
            gate.set()
            read_until(streaming, b"[DONE]" if gate is more[-1] else b"<%d>" % (number + 1))
        holder.execute("ROLLBACK")
    gateway.wait(
        lambda: sum(counts[0] for counts in read(gateway.usage).values()) == 3, "all of the usage"
    )


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("state", ["queued", "prefill", "between tokens"])
def test_a_client_that_leaves_gives_its_keys_place_back(
    start: Callable[..., Gateway], fake: FakeOllama, state: str, streamed: bool
) -> None:
    gateway = start()
    ann = gateway.command("keys", "new", "ann", "--max-concurrency", "1")
    with (gateway.folder / ".env").open("a") as dotenv:
        dotenv.write("\nMAX_CONCURRENCY=1\nSTREAM_HEARTBEAT_SECONDS=0.2\n")
    gateway.reload()
    key_of_ann = replace(gateway.service, key=ann)
    fake.script(
        "/api/chat", stream([chat_line("A"), hang] if state == "between tokens" else [hang])
    )
    with ExitStack() as stack:
        if state == "queued":
            stack.enter_context(raw_chat(gateway.service, stream=True))
            gateway.wait(lambda: len(fake.received("/api/chat")) == 3, "the one that runs")
        with raw_chat(key_of_ann, stream=streamed) as leaving:
            if state == "queued" and streamed:
                read_until(leaving, b": keep-alive")
            elif state == "queued":
                gateway.wait(lambda: gateway.ask(ann) == 429, "its place")
            else:
                gateway.wait(lambda: len(fake.received("/api/chat")) == 3, "the engine's turn")
        gateway.wait(lambda: " status=499 " in gateway.service.log.read_text(), "the end")
    fake.script("/api/chat", stream([chat_line("A"), done_line()]))

    gateway.wait(lambda: gateway.ask(ann) == 200, "the next answer")


HELD = """
from gevent import monkey
monkey.patch_all()
import pathlib, sqlite3, sys, time
from tensoria.admission import usage_file
from tensoria.admission.usage import Usage
from tensoria.server.aside import Aside

# So long that a hub which waits with it would turn nothing at all.
usage_file.BUSY_SECONDS = 1.5
folder = pathlib.Path(sys.argv[1])
usage = Usage(folder)
usage.aside = Aside()
usage.add("ann", None, 1, 1)
while not usage_file.read(folder):
    time.sleep(0.01)
holder = sqlite3.connect(folder / "worker-0.sqlite", isolation_level=None)
holder.execute("BEGIN IMMEDIATE")
usage.add("ann", None, 1, 1)
turned, longest, latest, end = 0, 0.0, time.monotonic(), time.monotonic() + 2.5
while latest < end:
    time.sleep(0.001)
    now = time.monotonic()
    turned, longest, latest = turned + 1, max(longest, now - latest), now
holder.execute("ROLLBACK")
usage.close()
print(turned, longest, usage_file.read(folder)["ann", ""])
"""


def test_the_hub_turns_while_the_writer_waits_for_a_lock(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD, str(tmp_path)],
        env={**clean_environment(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    turned, longest, counts = done.stdout.split(maxsplit=2)

    assert int(turned) > 100
    # The lock was waited for 1.5 s; a busy machine may hold a process up, and never so long.
    assert float(longest) < 1
    assert counts.strip() == "(2, 2, 2)"
