"""The memory under the real server: restarts, crashes, several workers, a disk that is full."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
import requests

from tests.e2e.service import GUNICORN, KEY, ROOT, clean_environment, free_port, running, wait_for
from tests.fake_ollama import FakeOllama, chat_line, done_line, hang, stream

pytestmark = pytest.mark.e2e

MODEL = "smollm2:135m"
PATH = "/v1/responses"
HEADERS = {"X-API-Key": KEY}


class Running:
    """A service, its process, and what a test asks it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        # A connection each: which worker answers is the kernel's choice.
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.url + path, json=body, headers=HEADERS, timeout=20)

    def ask(self, text: str = "Hi", **members: Any) -> Any:
        answer = self.call("POST", PATH, {"model": MODEL, "input": text, **members})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, id_: str) -> Any:
        answer = self.call("GET", f"{PATH}/{id_}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def until(self, id_: str, status: str) -> None:
        wait_for(lambda: self.get(id_)["status"] == status, f"{id_} to be {status}", self.log)

    def logged(self, words: str) -> None:
        wait_for(lambda: words in self.log.read_text(), f"{words!r} in the log", self.log)

    def is_up(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return self.call("GET", "/health").status_code == 200
        return False


@contextlib.contextmanager
def service(
    folder: Path, fake: FakeOllama, *, wrapper: tuple[str, ...] = (), **settings: str
) -> Iterator[Running]:
    """Run gunicorn; what it keeps lies in the folder, so that the next one finds it."""
    port = free_port()
    environ = {
        **clean_environment(folder),
        "PYTHONPATH": str(ROOT),
        "API_KEY": KEY,
        "API_PORT": str(port),
        "OLLAMA_BASE_URL": fake.url,
        "DEFAULT_MODEL": MODEL,
        "MAX_CONCURRENCY": "8",
        **settings,
    }
    with running((*wrapper, *GUNICORN), folder, environ) as (process, log):
        started = Running(process, port, log)
        wait_for(started.is_up, "the service", log)
        yield started


def said(fake: FakeOllama) -> list[str]:
    body = orjson.loads(fake.received("/api/chat")[-1].body)
    return [each["content"] for each in body["messages"]]


def events(answer: requests.Response) -> list[Any]:
    lines = [line for line in answer.text.split("\n") if line.startswith("data: ")]
    return [orjson.loads(line[6:]) for line in lines]


def slow(fake: FakeOllama) -> threading.Event:
    """Have the engine's next answer wait in its middle."""
    gate = threading.Event()
    fake.script("/api/chat", stream([chat_line("Hel"), gate, chat_line("lo"), done_line()]))
    return gate


def test_a_killed_service_remembers(tmp_path: Path, fake: FakeOllama) -> None:
    with service(tmp_path, fake) as first:
        one = first.ask("One")
        conversation = first.call("POST", "/v1/conversations", {}).json()["id"]
        first.ask("In it", conversation=conversation)
        for pid in (*children(first.process.pid), first.process.pid):
            os.kill(pid, signal.SIGKILL)
    with service(tmp_path, fake) as second:
        second.ask("Two", previous_response_id=one["id"])
        assert said(fake) == ["One", "Hello", "Two"]
        second.ask("Again", conversation=conversation)
        assert said(fake) == ["In it", "Hello", "Again"]
        assert second.get(one["id"]) == one


def test_a_killed_workers_runs_have_failed(tmp_path: Path, fake: FakeOllama) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    with service(tmp_path, fake) as running_one:
        id_ = running_one.ask(background=True)["id"]
        running_one.until(id_, "in_progress")
        [worker] = children(running_one.process.pid)
        os.kill(worker, signal.SIGKILL)
        wait_for(running_one.is_up, "the next worker", running_one.log)
        running_one.until(id_, "failed")
        failed = running_one.get(id_)
        told = events(running_one.call("GET", f"{PATH}/{id_}?stream=true"))

    assert failed["error"]["code"] == "server_error"
    assert told[-1]["type"] == "response.failed"
    assert [each["sequence_number"] for each in told] == list(range(len(told)))


def test_a_run_within_the_grace_is_finished(tmp_path: Path, fake: FakeOllama) -> None:
    gate = slow(fake)
    with service(tmp_path, fake, SHUTDOWN_GRACE_SECONDS="8") as stopping:
        id_ = stopping.ask(background=True)["id"]
        stopping.until(id_, "in_progress")
        stopping.process.terminate()
        wait_for(lambda: not listens(stopping.port), "the listener to close", stopping.log)
        gate.set()
        assert stopping.process.wait(8) == 0
    with service(tmp_path, fake) as next_one:
        assert next_one.get(id_)["output"][0]["content"][0]["text"] == "Hello"


def test_a_run_that_outlasts_the_grace_has_failed(tmp_path: Path, fake: FakeOllama) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    with service(tmp_path, fake, SHUTDOWN_GRACE_SECONDS="1") as stopping:
        id_ = stopping.ask(background=True)["id"]
        stopping.until(id_, "in_progress")
        fake.wait_for_request("/api/chat")
        stopping.process.terminate()
        assert stopping.process.wait(10) == 0
        assert f"RUN /v1/responses/{id_} 503" in stopping.log.read_text()
    fake.wait_until_idle()
    with service(tmp_path, fake) as next_one:
        failed = next_one.get(id_)
        told = events(next_one.call("GET", f"{PATH}/{id_}?stream=true"))

    assert failed["status"] == "failed"
    assert "stopping" in failed["error"]["message"]
    assert told[-1]["response"] == failed


def test_a_cancelled_run_frees_the_engine_at_once(tmp_path: Path, fake: FakeOllama) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    with service(tmp_path, fake) as one:
        id_ = one.ask(background=True)["id"]
        one.until(id_, "in_progress")
        fake.wait_for_request("/api/chat")
        cancelled = one.call("POST", f"{PATH}/{id_}/cancel").json()
        fake.wait_for_disconnect("/api/chat", timeout=1)
        one.logged(f"RUN /v1/responses/{id_} 499")

    assert cancelled["status"] == "cancelled"


def test_a_client_that_leaves_its_stream_leaves_the_run(tmp_path: Path, fake: FakeOllama) -> None:
    gate = slow(fake)
    with service(tmp_path, fake) as one:
        with requests.Session() as session:
            session.trust_env = False
            body = {"model": MODEL, "input": "Hi", "background": True, "stream": True}
            answer = session.post(one.url + PATH, json=body, headers=HEADERS, stream=True)
            text = ""
            for part in answer.iter_content(None):
                text += part.decode()
                if "output_text.delta" in text:
                    break
        id_ = "resp_" + text.partition('"id":"resp_')[2].partition('"')[0]
        one.logged("POST /v1/responses 499")
        follow = threading.Timer(0.2, gate.set)
        follow.start()
        rest = events(one.call("GET", f"{PATH}/{id_}?stream=true&starting_after=3"))

    assert rest[0]["sequence_number"] == 4
    assert rest[-1]["type"] == "response.completed"


def test_two_workers_share_everything(tmp_path: Path, fake: FakeOllama) -> None:
    with service(tmp_path, fake, WEB_CONCURRENCY="2") as both:
        previous = both.ask("0")["id"]
        for number in range(1, 12):
            previous = both.ask(str(number), previous_response_id=previous)["id"]
        assert said(fake)[::2] == [str(number) for number in range(12)]

        for _ in range(4):
            gate = slow(fake)
            id_ = both.ask(background=True)["id"]
            for _ in range(6):
                both.until(id_, "in_progress")
            gate.set()
            told = events(both.call("GET", f"{PATH}/{id_}?stream=true"))
            assert told[-1]["type"] == "response.completed"
            both.until(id_, "completed")

        for _ in range(4):
            fake.script("/api/chat", stream([chat_line("Hel"), hang]))
            id_ = both.ask(background=True)["id"]
            both.until(id_, "in_progress")
            for _ in range(3):
                cancelled = both.call("POST", f"{PATH}/{id_}/cancel").json()
                assert cancelled["status"] == "cancelled"


def test_a_disk_that_fills_loses_no_answer(tmp_path: Path, fake: FakeOllama) -> None:
    """A limit on the length of files stands for it: SQLite is told that it cannot write."""
    limit = ("bash", "-c", 'ulimit -f 1000; exec "$@"', "-")
    with service(tmp_path, fake, wrapper=limit) as full:
        first = full.ask("One")
        answers = [full.ask("x" * 300_000) for _ in range(8)]
        follow_up = full.ask("Two", previous_response_id=first["id"])
        refused = full.call("POST", PATH, {"model": MODEL, "input": "Hi", "background": True})
        full.logged("answered and not kept")

    assert first["store"] is True
    assert answers[-1]["store"] is False
    assert answers[-1]["output"][0]["content"][0]["text"] == "Hello"
    assert follow_up["status"] == "completed"
    assert refused.status_code in (200, 503)


def test_a_lock_that_is_held_holds_up_nobody_but_its_writer(
    tmp_path: Path, fake: FakeOllama
) -> None:
    with service(tmp_path, fake) as one:
        first = one.ask("One")
        path = tmp_path / "data" / "memory" / "memory.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            answers: list[Any] = []
            asking = threading.Thread(target=lambda: answers.append(one.ask("Two")))
            asking.start()
            fake.wait_for_request("/api/chat", count=2)
            begun = time.monotonic()
            for _ in range(20):
                assert one.is_up()
            took = time.monotonic() - begun
            asking.join(20)
            holder.execute("ROLLBACK")
        one.ask("Three", previous_response_id=first["id"])

    assert took < 1
    assert answers[0]["store"] is False
    assert said(fake) == ["One", "Hello", "Three"]


def test_the_openai_client_finds_its_way(tmp_path: Path, fake: FakeOllama) -> None:
    with (
        service(tmp_path, fake) as one,
        openai.OpenAI(base_url=f"{one.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        first = client.responses.create(model=MODEL, input="One")
        client.responses.create(model=MODEL, input="Two", previous_response_id=first.id)
        assert client.responses.retrieve(first.id) == first
        assert [item.type for item in client.responses.input_items.list(first.id)] == ["message"]
        client.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(first.id)

        conversation = client.conversations.create(metadata={"a": "b"})
        client.responses.create(model=MODEL, input="One", conversation=conversation.id)
        listed = client.conversations.items.list(conversation.id, limit=1)
        assert [item.type for item in listed] == ["message", "message"]
        assert client.conversations.delete(conversation.id).deleted

        fake.script("/api/chat", stream([chat_line("Hel"), hang]))
        run = client.responses.create(model=MODEL, input="One", background=True)
        one.until(run.id, "in_progress")
        assert client.responses.cancel(run.id).status == "cancelled"

        gate = slow(fake)
        started = client.responses.create(model=MODEL, input="1", background=True, stream=True)
        seen = next(iter(started))
        started.close()
        gate.set()
        rest = client.responses.retrieve(
            seen.response.id,  # type: ignore[union-attr]
            stream=True,
            starting_after=seen.sequence_number,
        )
        assert [event.type for event in rest][-1] == "response.completed"


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
