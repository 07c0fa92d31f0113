"""OpenAI's own clients, and curl, against the real service.

Each client runs the same steps once (clients/), and each test looks at one part of its report.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service, clean_environment, free_port, running_service
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    answer_html,
    chat_line,
    close,
    done_line,
    embedding,
    model_entry,
    stream,
)
from tests.requirements import need, need_program

pytestmark = pytest.mark.e2e

CLIENTS = Path(__file__).with_name("clients")
EMBEDDING_MODEL = "all-minilm:latest"
MODELS = ["smollm2:135m", "hf.co/org/model:Q4_K_M", EMBEDDING_MODEL]
BY_MODEL = {
    "broken:latest": answer_html(502),
    "breaks-off:latest": stream([chat_line("Hel"), close]),
}
CALLS = "calls-tools:latest"
OSLO = {"function": {"name": "weather", "arguments": {"city": "Oslo"}}}
CALL = stream([chat_line("", tool_calls=[OSLO]), done_line()])
HELLO = stream([chat_line("Hel"), chat_line("lo"), done_line(prompt=27, eval=8)])

Report = dict[str, Any]


def _chat(exchange: Exchange) -> None:
    asked = exchange.request.json
    if asked["model"] == CALLS:
        last = asked["messages"][-1]
        told = f"{last['tool_name']}: {last['content']}" if last["role"] == "tool" else None
        (stream([chat_line(told), done_line()]) if told else CALL)(exchange)
        return
    BY_MODEL.get(asked["model"], HELLO)(exchange)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service in front of models that chat, one that embeds, two broken, one with tools."""
    with FakeOllama() as fake:
        fake.models = [model_entry(name) for name in [*MODELS, *BY_MODEL, CALLS]]
        fake.models[-1]["capabilities"] = ["completion", "tools"]
        fake.models[MODELS.index(EMBEDDING_MODEL)]["capabilities"] = ["embedding"]
        fake.script("/api/chat", _chat)
        with running_service(tmp_path_factory.mktemp("service"), fake.url) as started:
            yield started


@pytest.fixture(scope="module")
def service_without_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    nobody = f"http://127.0.0.1:{free_port()}"
    with running_service(tmp_path_factory.mktemp("without"), nobody) as started:
        yield started


def _python() -> list[str]:
    """The newest client, in the extra `dev`; a warning about our answers is an error."""
    return [sys.executable, "-W", "error", "openai_python.py"]


def _python_1() -> list[str]:
    folder = "tests/e2e/clients"
    python = CLIENTS / ".venv" / "bin" / "python"
    install = (
        f"python3 -m venv {folder}/.venv && "
        f"{folder}/.venv/bin/pip install -r {folder}/requirements.txt"
    )
    need(python.exists(), "openai 1.x for Python", install)
    return [str(python), "openai_python.py"]


def _node() -> list[str]:
    node = need_program("node", "apt-get install --no-install-recommends nodejs npm")
    package = CLIENTS / "node_modules" / "openai"
    install = "npm install --no-package-lock --prefix tests/e2e/clients"
    need(package.exists(), "openai for Node", install)
    return [node, "openai_node.mjs"]


COMMANDS = {"python": _python, "python 1.x": _python_1, "node": _node}


@pytest.fixture(scope="module", params=COMMANDS)
def report(
    request: pytest.FixtureRequest,
    service: Service,
    service_without_engine: Service,
    tmp_path_factory: pytest.TempPathFactory,
) -> Report:
    """What one client saw."""
    command = COMMANDS[request.param]()
    result = subprocess.run(
        [*command, f"{service.url}/v1", service.key, f"{service_without_engine.url}/v1"],
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


def test_the_client_lists_the_models(report: Report) -> None:
    assert set(report["models"]) == {*MODELS, *BY_MODEL, CALLS}


def test_the_client_retrieves_models_by_names_with_slashes_and_colons(report: Report) -> None:
    assert report["retrieved"] == report["models"]


def test_the_client_reads_an_answer(report: Report) -> None:
    answer = report["chat"]

    assert answer["choices"][0]["message"]["content"] == "Hello"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == 35


def test_the_client_reads_a_text_completion(report: Report) -> None:
    answer = report["completion"]

    assert [choice["text"] for choice in answer["choices"]] == ["a world", "b world"]
    assert answer["usage"]["total_tokens"] == 22


def test_the_client_reads_a_streamed_text_completion(report: Report) -> None:
    choices = [choice for chunk in report["completion stream"] for choice in chunk["choices"]]

    assert "".join(choice["text"] for choice in choices) == " world"
    assert [choice["finish_reason"] for choice in choices] == [None, None, "stop"]


def test_the_client_reads_a_stream(report: Report) -> None:
    chunks = report["stream"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]

    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello"
    assert deltas[0]["role"] == "assistant"
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_the_client_reads_the_usage_at_the_end_of_a_stream(report: Report) -> None:
    last = report["stream"][-1]

    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 27
    assert last["usage"]["completion_tokens"] == 8


def test_the_client_calls_a_tool_and_sends_its_result_back(report: Report) -> None:
    looped = {"reason": "tool_calls", "city": "Oslo", "answer": "weather: 4 C"}

    assert report["tools"] == [looped, looped]


def test_the_client_reads_embeddings_in_its_own_encoding_and_in_numbers(report: Report) -> None:
    """Without a word from the program the client asks for base64, and decodes it."""
    for answer in report["embeddings"]:
        vectors = [entry["embedding"] for entry in answer["data"]]
        assert vectors == [embedding("Hi"), embedding("Hello")]
        assert answer["usage"] == {"prompt_tokens": 6, "total_tokens": 6}


@pytest.mark.parametrize(
    ("step", "seen"),
    [
        ("wrong key", ("AuthenticationError", 401, "invalid_api_key", None)),
        ("unknown model", ("NotFoundError", 404, "model_not_found", "model")),
        ("unknown model retrieved", ("NotFoundError", 404, "model_not_found", "model")),
        ("bad value", ("BadRequestError", 400, "invalid_value", "temperature")),
        ("model that chats", ("BadRequestError", 400, "unsupported_parameter", "model")),
        ("engine broken", ("InternalServerError", 502, "engine_error", None)),
        ("engine down", ("InternalServerError", 503, "engine_unavailable", None)),
        ("broken in the stream", ("APIError", None, "engine_error", None)),
    ],
)
def test_the_client_raises_the_class_that_programs_catch(
    report: Report, step: str, seen: tuple[object, ...]
) -> None:
    error = report["errors"][step]

    assert (error["class"], error["status"], error["code"], error["param"]) == seen


@pytest.mark.parametrize("step", ["wrong key", "unknown model", "engine down"])
def test_the_client_can_quote_the_request_id_of_an_error(report: Report, step: str) -> None:
    assert report["errors"][step]["request_id"]


def curl(service: Service, path: str, *arguments: str) -> str:
    program = need_program("curl", "apt-get install --no-install-recommends curl")
    result = subprocess.run(
        [program, "-sS", "--noproxy", "*", "--max-time", "20", *arguments, service.url + path],
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


CHAT = '{"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}'
JSON = ("-H", "Content-Type: application/json")


def test_curl_reads_an_answer_with_either_header(service: Service) -> None:
    for header in (f"X-API-Key: {service.key}", f"Authorization: Bearer {service.key}"):
        answer = json.loads(curl(service, "/v1/chat/completions", *JSON, "-H", header, "-d", CHAT))
        assert answer["choices"][0]["message"]["content"] == "Hello"


def test_curl_reads_a_stream(service: Service) -> None:
    streamed = CHAT.replace("{", '{"stream": true, ', 1)

    text = curl(
        service, "/v1/chat/completions", "-N", *JSON, "-H", f"X-API-Key: {service.key}",
        "-d", streamed,
    )  # fmt: skip

    assert text.startswith("data: {")
    assert text.endswith("data: [DONE]\n\n")


def test_curl_without_the_key_gets_401_and_the_envelope(service: Service) -> None:
    text = curl(service, "/v1/models", "-w", "\n%{http_code}")
    body, _, status = text.rpartition("\n")

    assert status == "401"
    assert json.loads(body)["error"]["code"] == "invalid_api_key"
