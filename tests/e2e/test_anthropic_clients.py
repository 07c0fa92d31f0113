"""Anthropic's own clients against the real service.

Each client runs the same steps once (clients/), and each test looks at one part of its report.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import requests

from tests.contract.messages import check_stream
from tests.e2e.service import Service, clean_environment, free_port, running_service
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    answer_html,
    chat_line,
    close,
    done_line,
    model_entry,
    stream,
)
from tests.requirements import need, need_program

pytestmark = pytest.mark.e2e

CLIENTS = Path(__file__).with_name("clients")
CALLS = "calls-tools:latest"
OSLO = {"function": {"name": "weather", "arguments": {"city": "Oslo"}}}
CALL = stream([chat_line("I look."), chat_line("", tool_calls=[OSLO]), done_line()])
HELLO = stream([chat_line("Hel"), chat_line("lo"), done_line(prompt=27, eval=8)])
BY_MODEL = {
    "smollm2:135m": HELLO,
    "broken:latest": answer_html(502),
    "breaks-off:latest": stream([chat_line("Hel"), close]),
    "thinks:latest": stream(
        [chat_line("", thinking="Hm"), chat_line("", thinking="m."), chat_line("Hi"), done_line()]
    ),
    "writes-json:latest": stream([chat_line('{"city": "Oslo"}'), done_line()]),
}
CAPABLE = {CALLS: ["completion", "tools"], "thinks:latest": ["completion", "thinking"]}

Report = dict[str, Any]


def _chat(exchange: Exchange) -> None:
    asked = exchange.request.json
    if asked["model"] != CALLS:
        BY_MODEL[asked["model"]](exchange)
        return
    last = asked["messages"][-1]
    told = f"{last['tool_name']}: {last['content']}" if last["role"] == "tool" else None
    (stream([chat_line(told), done_line()]) if told else CALL)(exchange)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service in front of models that chat, think, write JSON and call, and of broken ones."""
    with FakeOllama() as fake:
        fake.models = [model_entry(name) for name in [*BY_MODEL, CALLS]]
        for entry in fake.models:
            entry["capabilities"] = CAPABLE.get(entry["name"], ["completion"])
        fake.script("/api/chat", _chat)
        with running_service(tmp_path_factory.mktemp("service"), fake.url) as started:
            yield started


@pytest.fixture(scope="module")
def service_without_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    nobody = f"http://127.0.0.1:{free_port()}"
    with running_service(tmp_path_factory.mktemp("without"), nobody) as started:
        yield started


def _python() -> list[str]:
    """The client in the extra `dev`; a warning about our answers is an error."""
    return [sys.executable, "-W", "error", "anthropic_python.py"]


def _node() -> list[str]:
    node = need_program("node", "apt-get install --no-install-recommends nodejs npm")
    package = CLIENTS / "node_modules" / "@anthropic-ai" / "sdk"
    install = "npm install --no-package-lock --prefix tests/e2e/clients"
    need(package.exists(), "Anthropic's client for Node", install)
    return [node, "anthropic_node.mjs"]


COMMANDS = {"python": _python, "node": _node}


@pytest.fixture(scope="module", params=COMMANDS)
def report(
    request: pytest.FixtureRequest,
    service: Service,
    service_without_engine: Service,
    tmp_path_factory: pytest.TempPathFactory,
) -> Report:
    """What one client saw."""
    result = subprocess.run(
        [*COMMANDS[request.param](), service.url, service.key, service_without_engine.url],
        cwd=CLIENTS,
        env=clean_environment(tmp_path_factory.mktemp("client")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    seen: Report = json.loads(result.stdout)
    return seen


def test_the_client_lists_all_models_page_by_page(report: Report) -> None:
    assert set(report["models"]) == {*BY_MODEL, CALLS}


def test_the_client_retrieves_a_model(report: Report) -> None:
    model = report["retrieved"]

    assert (model["id"], model["type"]) == ("smollm2:135m", "model")


def test_the_client_reads_a_message(report: Report) -> None:
    message = report["message"]

    assert message["content"][0]["text"] == "Hello"
    assert message["stop_reason"] == "end_turn"
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (27, 8)


@pytest.mark.parametrize("way", ["bearer", "beta"])
def test_the_client_reads_a_message_asked_for_in_another_way(report: Report, way: str) -> None:
    assert report[way] == "text"


def test_the_client_reads_the_events_of_a_stream(report: Report) -> None:
    assert report["raw stream"] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_the_client_adds_a_stream_up_to_the_whole_message(report: Report) -> None:
    streamed, whole = report["stream"]["message"], report["message"]

    assert report["stream"]["text"] == "Hello"
    assert streamed["content"][0]["text"] == whole["content"][0]["text"]
    assert streamed["stop_reason"] == whole["stop_reason"]
    assert streamed["usage"] == whole["usage"]


def test_the_client_reads_thoughts(report: Report) -> None:
    thought, text = report["thinking"]["message"]["content"]

    assert (thought["thinking"], text["text"]) == ("Hmm.", "Hi")
    assert thought["signature"]


def test_the_client_counts_tokens_and_can_see_that_they_are_estimated(report: Report) -> None:
    assert report["count"] == {"input_tokens": 5, "estimated": "input_tokens"}


def test_the_client_parses_a_structured_answer(report: Report) -> None:
    assert report["parsed"] == "Oslo"


def test_the_client_calls_a_tool_and_sends_its_result_back(report: Report) -> None:
    looped = {"reason": "tool_use", "city": "Oslo", "answer": "weather: 4 C"}

    assert report["tools"] == [looped, looped]


def test_the_clients_own_loop_calls_a_tool(report: Report) -> None:
    assert report["tool runner"] == "weather: 4 C in Oslo"


@pytest.mark.parametrize(
    ("step", "seen"),
    [
        ("wrong key", ("AuthenticationError", 401, "authentication_error", None)),
        ("unknown model", ("NotFoundError", 404, "not_found_error", "model")),
        ("unknown model retrieved", ("NotFoundError", 404, "not_found_error", "model")),
        ("bad value", ("BadRequestError", 400, "invalid_request_error", "temperature")),
        ("engine broken", ("InternalServerError", 502, "api_error", None)),
        ("engine down", ("ServiceUnavailableError", 503, "api_error", None)),
    ],
)
def test_the_client_raises_the_class_that_programs_catch(
    report: Report, step: str, seen: tuple[object, ...]
) -> None:
    error = report["errors"][step]

    assert (error["class"], error["status"], error["type"], error["param"]) == seen


def test_the_client_raises_for_a_stream_that_breaks_off(report: Report) -> None:
    """The class is the parent of all with a status; Node's client has another name for it."""
    error = report["errors"]["broken in the stream"]

    assert error["class"] in ("APIStatusError", "APIError")
    assert (error["type"], error["param"]) == ("api_error", None)


@pytest.mark.parametrize("step", ["wrong key", "engine down", "broken in the stream"])
def test_the_client_can_quote_the_request_id_of_an_error(report: Report, step: str) -> None:
    assert report["errors"][step]["request_id"]


def test_pings_come_before_the_answer_and_between_its_events(
    tmp_path: Path, fake: FakeOllama, http: requests.Session
) -> None:
    before, between = threading.Event(), threading.Event()
    fake.script(
        "/api/chat", stream([before, chat_line("Hel"), between, chat_line("lo"), done_line()])
    )
    asked = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    with running_service(tmp_path, fake.url, STREAM_HEARTBEAT_SECONDS="0.2") as service:
        response = http.post(
            f"{service.url}/v1/messages",
            json={"model": "smollm2:135m", **asked},
            headers={"x-api-key": service.key},
            stream=True,
            timeout=20,
        )
        names, body = [], b""
        for line in response.iter_lines(chunk_size=None):
            body += line + b"\n"
            if line.startswith(b"event: "):
                names.append(line.removeprefix(b"event: ").decode())
            if names == ["ping", "ping"]:
                before.set()
            if names[-3:] == ["content_block_delta", "ping", "ping"]:
                between.set()

    assert names.count("ping") >= 4
    assert [name for name in names if name != "ping"] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    check_stream(body)


def test_the_embedded_engine_answers_and_counts_exactly(embedded: openai.OpenAI) -> None:
    base_url = str(embedded.base_url).rstrip("/").removesuffix("/v1")
    asked: Any = {
        "model": "smollm2:135m",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    }
    with anthropic.Anthropic(
        base_url=base_url,
        api_key=embedded.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        counted = client.messages.with_raw_response.count_tokens(**asked)
        # The SDK has no argument for it any more, and the small model guesses without it.
        asked |= {"max_tokens": 20, "extra_body": {"temperature": 0}}
        message = client.messages.create(**asked)
        with client.messages.stream(**asked) as streamed:
            last = streamed.get_final_message()

    usage = last.usage
    assert "x-tensoria-estimated" not in counted.headers
    assert "Paris" in message.content[0].text
    assert counted.parse().input_tokens == usage.input_tokens + (usage.cache_read_input_tokens or 0)
