"""schemathesis makes requests up from the OpenAPI document, and judges the answers by it."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.service import clean_environment, running_service
from tests.fake_ollama import FakeOllama, chat_line, done_line, model_entry, stream
from tests.requirements import need

pytestmark = pytest.mark.e2e

FOLDER = Path(__file__).with_name("schemathesis")
CAPABLE = ("completion", "tools", "thinking", "vision", "insert", "embedding")


@pytest.fixture
def schemathesis() -> Path:
    program = FOLDER / ".venv" / "bin" / "schemathesis"
    folder = "tests/e2e/schemathesis"
    install = (
        f"python3 -m venv {folder}/.venv && "
        f"{folder}/.venv/bin/pip install -r {folder}/requirements.txt"
    )
    need(program.exists(), "schemathesis", install)
    return program


def test_the_service_does_what_its_document_says(
    schemathesis: Path, fake: FakeOllama, tmp_path: Path
) -> None:
    fake.models = [model_entry("smollm2:135m", capabilities=CAPABLE)]
    fake.script("/api/chat", stream([chat_line("{}"), done_line()]))
    settings = {"API_KEY": "", "MAX_CONCURRENCY": "16", "MAX_CHOICES": "128"}
    with running_service(tmp_path, fake.url, **settings) as service:
        command = [
            str(schemathesis), "run", f"{service.url}/openapi.json",
            "--phases", "examples,coverage,fuzzing",
            "--max-examples", "250", "--seed", "1", "--generation-deterministic",
            # What it would accept instead is `valid_is_taken`, which knows the other rules.
            "--exclude-checks", "positive_data_acceptance",
            "--continue-on-failure", "--no-color",
        ]  # fmt: skip
        result = subprocess.run(
            command,
            cwd=tmp_path,
            env={**clean_environment(tmp_path), "SCHEMATHESIS_HOOKS": str(FOLDER / "hooks.py")},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

        assert result.returncode == 0, result.stdout + result.stderr
        assert "Tested: 24" in result.stdout
        assert "internal error" not in service.log.read_text()
