"""The documents' own requests and programs, as they stand there, against the real service."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import (
    ADDRESSES,
    CLIENTS,
    DOCUMENTS,
    GUIDE,
    KEYS,
    README,
    blocks,
    commands,
)
from tests.e2e.service import Service, clean_environment, running_service
from tests.fake_ollama import FakeOllama, chat_line, done_line, model_entry, stream
from tests.requirements import need, need_program

pytestmark = pytest.mark.e2e

PACKAGES = Path(__file__).parent / "clients"
REQUESTS = [
    (path, command)
    for path in DOCUMENTS
    for command in commands(path)
    if command.startswith("curl") and ADDRESSES.search(command)
]
PROGRAMS = [(path, block) for path in DOCUMENTS for block in blocks(path, "python")]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a key, in front of the models that the documents name."""
    with FakeOllama() as fake:
        fake.models = [model_entry("mistral:latest"), model_entry("all-minilm:latest")]
        fake.models[1]["capabilities"] = ["embedding"]
        fake.script("/api/chat", stream([chat_line("Hel"), chat_line("lo"), done_line()]))
        folder = tmp_path_factory.mktemp("service")
        with running_service(folder, fake.url, DEFAULT_MODEL="mistral") as started:
            yield started


def rewritten(text: str, service: Service) -> str:
    """Put this service's address and key where the document has its own."""
    return KEYS.sub(service.key, ADDRESSES.sub(service.url, text))


@pytest.mark.parametrize(
    ("path", "command"),
    REQUESTS,
    ids=[f"{path.name}-{index}" for index, (path, _) in enumerate(REQUESTS)],
)
def test_every_request_gets_an_answer(
    service: Service, tmp_path: Path, path: Path, command: str
) -> None:
    need_program("curl", "apt-get install --no-install-recommends curl")
    key = f'curl --fail-with-body --noproxy "*" -sS -H "X-API-Key: {service.key}" '
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", rewritten(command, service).replace("curl ", key, 1)],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    if '"stream": true' in command:
        assert done.stdout.endswith("data: [DONE]\n\n")
    else:
        assert "error" not in json.loads(done.stdout)


@pytest.mark.parametrize(
    ("path", "program"),
    PROGRAMS,
    ids=[f"{path.name}-{index}" for index, (path, _) in enumerate(PROGRAMS)],
)
def test_every_program_prints_the_answer(
    service: Service, tmp_path: Path, path: Path, program: str
) -> None:
    # LiteLLM would fetch its list of prices from the internet when it is imported.
    environ = {**clean_environment(tmp_path), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [python_for(program), "-c", rewritten(program, service)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Hello")


def python_for(program: str) -> str:
    """Return the interpreter that has what a program imports."""
    names = {"langchain": "frameworks", "from agents": "frameworks", "litellm": "litellm"}
    name = next((names[word] for word in names if word in program), None)
    if name is None:
        return sys.executable
    python = PACKAGES / name / ".venv" / "bin" / "python"
    folder = f"tests/e2e/clients/{name}"
    install = (
        f"python3 -m venv {folder}/.venv && "
        f"{folder}/.venv/bin/pip install -r {folder}/requirements.txt"
    )
    need(python.exists(), f"what stands in {folder}", install)
    return str(python)


@pytest.mark.parametrize("program", blocks(CLIENTS, "js"))
def test_every_program_for_node_prints_the_answer(
    service: Service, tmp_path: Path, program: str
) -> None:
    node = need_program("node", "apt-get install --no-install-recommends nodejs npm")
    install = "npm install --no-package-lock --prefix tests/e2e/clients"
    need((PACKAGES / "node_modules" / "ai").exists(), "Vercel's AI SDK", install)
    done = subprocess.run(
        [node, "--input-type=module", "-e", rewritten(program, service)],
        cwd=PACKAGES,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("Hello\n", "")


def test_every_document_has_requests_or_programs_to_run() -> None:
    assert {path for path, _ in REQUESTS} == {README, GUIDE, CLIENTS}
    assert {path for path, _ in PROGRAMS} == {README, GUIDE, CLIENTS}
