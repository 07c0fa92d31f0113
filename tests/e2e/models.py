"""The models that clients of all kinds meet, behind the real service: what each says, and when."""

import contextlib
import json
import queue
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.service import Service, clean_environment, running_service
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    chat_line,
    close,
    done_line,
    hang,
    model_entry,
    stream,
)
from tests.requirements import need, need_program

CLIENTS = Path(__file__).with_name("clients")
ABLE = ("completion", "tools", "thinking")
OSLO = {"function": {"name": "weather", "arguments": {"city": "Oslo"}}}

Report = dict[str, Any]


class Models:
    """Answers of `/api/chat` by the model's name.

    `smollm2:135m` says Hello, `thinks` thinks before it, `recalls` repeats all that was said to it,
    `says-json` speaks JSON, `calls-tools` calls `weather` and then tells what that said,
    `calls-twice` asks for two cities, one after the other, `breaks-off` breaks off in its middle,
    `hangs` says no more from there on, and `waits` goes on only when `releases` is asked something.
    """

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[threading.Event] = queue.SimpleQueue()
        self.says = {
            "smollm2:135m": stream([chat_line("Hel"), chat_line("lo"), done_line()]),
            "thinks:latest": stream([chat_line("", thinking="Hm."), chat_line("Hi"), done_line()]),
            "recalls:latest": _recalls,
            "says-json:latest": _says_json,
            "calls-tools:latest": _calls_tools,
            "calls-twice:latest": _calls_twice,
            "breaks-off:latest": stream([chat_line("Hel"), close]),
            "hangs:latest": stream([chat_line("Hel"), hang]),
            "waits:latest": self._waits,
            "releases:latest": self._releases,
        }

    def __call__(self, exchange: Exchange) -> None:
        """Answer one question."""
        self.says[exchange.request.json["model"]](exchange)

    def _waits(self, exchange: Exchange) -> None:
        gate = threading.Event()
        self.waiting.put(gate)
        stream([chat_line("Hel"), gate, chat_line("lo"), done_line()])(exchange)

    def _releases(self, exchange: Exchange) -> None:
        # It may be asked before the other, which runs in the background.
        self.waiting.get(timeout=20).set()
        stream([chat_line("Go on."), done_line()])(exchange)


def _recalls(exchange: Exchange) -> None:
    said = "|".join(each["content"] for each in exchange.request.json["messages"])
    stream([chat_line(said), done_line()])(exchange)


def _says_json(exchange: Exchange) -> None:
    """Say it in pieces, or as the arguments of a call that the service forces by its schema."""
    form = exchange.request.json.get("format") or {}
    name = form.get("properties", {}).get("name")
    said = [chat_line('{"city": '), chat_line('"Oslo"}')]
    if name is not None:
        said = [chat_line(f'{{"name": "{name["const"]}", "arguments": '), *said, chat_line("}")]
    stream([*said, done_line()])(exchange)


def _calls_tools(exchange: Exchange) -> None:
    asked = exchange.request.json
    last = asked["messages"][-1]
    if "format" in asked:
        _says_json(exchange)
        return
    if last["role"] != "tool":
        call = chat_line("", tool_calls=[OSLO])
        stream([chat_line("I look."), call, done_line(prompt=20, eval=10)])(exchange)
        return
    said = chat_line(f"{last['tool_name']}: {last['content']}")
    stream([said, done_line(prompt=40, eval=5)])(exchange)


def _calls_twice(exchange: Exchange) -> None:
    results = [each for each in exchange.request.json["messages"] if each["role"] == "tool"]
    if len(results) == 2:
        told = ", ".join(each["content"] for each in results)
        stream([chat_line(told), done_line(prompt=60, eval=5)])(exchange)
        return
    city = ["Oslo", "Rome"][len(results)]
    call = {"function": {"name": "weather", "arguments": {"city": city}}}
    stream([chat_line("", tool_calls=[call]), done_line(prompt=20, eval=10)])(exchange)


@contextlib.contextmanager
def service_of_models(folder: Path) -> Iterator[Service]:
    """Run the service in front of them, with slots for answers that wait for others."""
    with FakeOllama() as fake:
        models = Models()
        fake.models = [model_entry(name, capabilities=ABLE) for name in models.says]
        fake.script("/api/chat", models)
        with running_service(folder, fake.url, MAX_CONCURRENCY="8") as started:
            yield started


def report_of(command: Sequence[str], service: Service, folder: Path, base: str) -> Report:
    """Run a client's program with the base URL and key; it prints its report, and nothing else.

    `ignored` joins it: what the service's log says was ignored of all that was sent.
    """
    result = subprocess.run(
        [*command, service.url + base, service.key],
        cwd=CLIENTS,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    seen: Report = json.loads(result.stdout)
    logged = service.log.read_text()
    return {**seen, "ignored": sorted(set(re.findall(r" ignored=(\S+)", logged)))}


def framework(program: str) -> list[str]:
    """Return the command of a program in `clients/frameworks`; a warning ends it. Or skip."""
    folder = "tests/e2e/clients/frameworks"
    python = CLIENTS / "frameworks" / ".venv" / "bin" / "python"
    install = (
        f"python3 -m venv {folder}/.venv && "
        f"{folder}/.venv/bin/pip install -r {folder}/requirements.txt"
    )
    need(python.exists(), "LangChain and the Agents SDK", install)
    return [str(python), "-W", "error", f"frameworks/{program}"]


def node(program: str, package: str) -> list[str]:
    """Return the command of a program for Node that needs a package. Or skip."""
    path = need_program("node", "apt-get install --no-install-recommends nodejs npm")
    installed = CLIENTS / "node_modules" / package
    install = "npm install --no-package-lock --prefix tests/e2e/clients"
    need(installed.exists(), f"{package} for Node", install)
    return [path, program]
