"""Responses by OpenAI's own clients, against the real service.

Each client runs the same steps once (clients/), and each test looks at one part of its report.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service, clean_environment, running_service
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    chat_line,
    close,
    done_line,
    model_entry,
    stream,
)
from tests.requirements import need, need_program

pytestmark = pytest.mark.e2e

CLIENTS = Path(__file__).with_name("clients")
OSLO = {"function": {"name": "weather", "arguments": {"city": "Oslo"}}}
BY_MODEL = {
    "smollm2:135m": stream([chat_line("Hel"), chat_line("lo"), done_line(prompt=27, eval=8)]),
    "says-json:latest": stream([chat_line('{"city": "Oslo"}'), done_line()]),
    "breaks-off:latest": stream([chat_line("Hel"), close]),
}
CALLS = "calls-tools:latest"
CALL = stream([chat_line("Let me look."), chat_line("", tool_calls=[OSLO]), done_line()])

Report = dict[str, Any]


def _chat(exchange: Exchange) -> None:
    asked = exchange.request.json
    if asked["model"] != CALLS:
        BY_MODEL[asked["model"]](exchange)
        return
    last = asked["messages"][-1]
    if last["role"] != "tool":
        CALL(exchange)
        return
    stream([chat_line(f"{last['tool_name']}: {last['content']}"), done_line()])(exchange)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with FakeOllama() as fake:
        able = ("completion", "tools")
        fake.models = [model_entry(name, capabilities=able) for name in [*BY_MODEL, CALLS]]
        fake.script("/api/chat", _chat)
        with running_service(tmp_path_factory.mktemp("service"), fake.url) as started:
            yield started


def _python() -> list[str]:
    """The newest client, in the extra `dev`; a warning about our answers is an error."""
    return [sys.executable, "-W", "error", "responses_python.py"]


def _node() -> list[str]:
    node = need_program("node", "apt-get install --no-install-recommends nodejs npm")
    package = CLIENTS / "node_modules" / "openai"
    install = "npm install --no-package-lock --prefix tests/e2e/clients"
    need(package.exists(), "openai for Node", install)
    return [node, "responses_node.mjs"]


COMMANDS = {"python": _python, "node": _node}


@pytest.fixture(scope="module", params=COMMANDS)
def report(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Report:
    """What one client saw."""
    result = subprocess.run(
        [*COMMANDS[request.param](), f"{service.url}/v1", service.key],
        cwd=CLIENTS,
        env=clean_environment(tmp_path_factory.mktemp("client")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    seen: Report = json.loads(result.stdout)
    return seen


def test_the_client_reads_an_answer(report: Report) -> None:
    assert (report["said"], report["tokens"]) == ("Hello", 35)


def test_the_client_reads_a_stream(report: Report) -> None:
    assert report["streamed"] == "Hello"
    assert report["events"][0] == "response.created"
    assert report["events"][-1] == "response.completed"


def test_the_client_reads_an_answer_in_a_form(report: Report) -> None:
    assert report["parsed"] == "Oslo"


def test_the_client_calls_a_tool_and_sends_its_result_back(report: Report) -> None:
    assert report["tools"] == [{"city": "Oslo", "answer": "weather: 4 C"}] * 2


def test_the_client_reads_of_a_failure_in_the_middle(report: Report) -> None:
    assert report["broken"] == ["response.output_item.done", "response.failed"]


def test_the_client_reads_a_refusal(report: Report) -> None:
    assert report["unknown model"] == {"code": "model_not_found", "param": "model"}
