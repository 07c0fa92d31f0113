"""No command in a document for users is there unchecked: each is of a kind that a test holds.

What asks the service is run by tests/e2e/test_documents.py, the others are held here against the
compose file, the command line and the files that they name.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tensoria.config import Settings
from tests.documents import ADDRESSES, DOCUMENTS, GUIDE, README, ROOT, blocks, commands

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
VERBS = {"up", "down", "ps", "logs", "restart", "exec", "kill"}
# Of `ollama`, in the release that the compose file pins.
OLLAMA_VERBS = {"list", "ps", "pull", "rm", "run", "show"}
PREPARING = {"git clone", "cd tensoria", "echo"}
EVERY = [(path, command) for path in DOCUMENTS for command in commands(path)]
IDS = [f"{path.name}-{index}" for index, (path, _) in enumerate(EVERY)]


@pytest.mark.parametrize(("path", "command"), EVERY, ids=IDS)
def test_every_command_is_one_that_works(path: Path, command: str) -> None:
    first = command.split()[0]
    if command.startswith("docker compose "):
        check_compose(shlex.split(command)[2:])
    elif command.startswith("docker exec -it "):
        check_exec(shlex.split(command)[3:])
    elif first == "curl":
        assert ADDRESSES.search(command) or "https://tensoria.example.org/v1/" in command
    elif command.startswith("python3 -c "):
        assert re.fullmatch(r"(API_KEY=)?tensoria_[\w-]{64}\n", run(command.partition(" >>")[0]))
    elif command.startswith("python3 -m venv .venv && "):
        assert command in blocks(README, "sh")[0] + blocks(README, "sh")[1]
    elif first == "echo":
        assert_is_a_setting(command)
    else:
        assert command.startswith(tuple(PREPARING)), f"{path.name}: nothing holds {command!r}"


def check_compose(words: list[str]) -> None:
    """Check files, profiles, the verb and the service; what runs within, by its own parser."""
    while words[0] in ("-f", "--profile"):
        option, value, *words = words
        if option == "-f":
            assert (ROOT / value).is_file()
        else:
            assert any(value in each.get("profiles", []) for each in COMPOSE["services"].values())
    verb, *words = words
    assert verb in VERBS
    named = [word for word in words if not word.startswith("-")]
    if verb == "exec":
        service, program, *arguments = named[:1] + words[words.index(named[1]) :]
        assert program == "tensoria"
        check_tensoria(arguments)
        named = [service]
    elif verb == "kill":
        assert words[:2] == ["-s", "HUP"]
        named = words[2:]
    assert set(named) <= COMPOSE["services"].keys()


def check_exec(words: list[str]) -> None:
    container, program, *arguments = words
    assert container == COMPOSE["services"]["ollama"]["container_name"]
    if program == "ollama":
        assert arguments[0] in OLLAMA_VERBS
    else:
        folder = words[-1]
        assert (program, arguments[:-1]) == ("du", ["-sh"])
        (volume,) = COMPOSE["services"]["ollama"]["volumes"]
        assert folder.startswith(volume.partition(":")[2])


def check_tensoria(arguments: list[str]) -> None:
    """Check that the command line has this command, and its help each of the options."""
    named = [word for word in arguments if not word.startswith("-")]
    command = named[:2] if named[0] == "keys" else named[:1]
    told = run(shlex.join([sys.executable, "-m", "tensoria", *command, "--help"]))
    for option in arguments:
        assert not option.startswith("--") or option in told


def assert_is_a_setting(command: str) -> None:
    found = re.fullmatch(r"echo (\w+)=\S+ >> \.env", command)
    assert found
    known = (ROOT / ".env.example").read_text() + (ROOT / "docker-compose.yml").read_text()
    assert found[1] in known


def run(command: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    for target, anchor in re.findall(
        r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", path.read_text()
    ):
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), target
        if anchor:
            assert anchor in headings(file), f"{target}#{anchor}"


def headings(path: Path) -> set[str]:
    found = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


def test_the_portuguese_guide_has_the_defaults_that_hold() -> None:
    defaults = Settings.from_env({})
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", GUIDE.read_text(), flags=re.MULTILINE))

    assert rows == {
        "API_KEY": "nenhuma",
        "OLLAMA_PORT": "11434",
        "API_PORT": str(defaults.api_port),
        "OLLAMA_TIMEOUT": f"{defaults.timeout_seconds:g}",
        "OLLAMA_KEEP_ALIVE": str(defaults.keep_alive),
        "OLLAMA_NUM_PARALLEL": str(defaults.max_concurrency),
        "LOG_LEVEL": defaults.log_level,
        "DEFAULT_MODEL": defaults.default_model,
        "MAX_TOKENS": str(defaults.max_tokens),
        "DEFAULT_TEMPERATURE": f"{defaults.default_temperature:g}",
    }


def test_the_portuguese_guide_has_every_section_of_the_first_one() -> None:
    told = re.findall(r"^##+ (.*)$", GUIDE.read_text(), flags=re.MULTILINE)

    assert [each for each in told if each in SECTIONS] == SECTIONS


SECTIONS = [
    "O que é?",
    "Casos de uso",
    "Arquitetura",
    "Diagrama",
    "As dez decisões",
    "Quick start",
    "Modelos",
    "Qual modelo, para quê",
    "Status",
    "Endpoints",
    "Segurança",
    "Configuração",
    "Testes",
    "Futuro",
    "Estrutura do projeto",
    "Produção",
    "Exemplo completo",
    "O cliente da OpenAI",
]


def test_the_portuguese_guide_names_rooms_that_are_there() -> None:
    (tree,) = re.findall(r"```\n(tensoria/\n.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    folder = [ROOT]
    for line in tree.splitlines()[1:]:
        found = re.match(r"([│ ]*)[├└]── (\S+)", line)
        assert found
        depth, name = len(found[1]) // 4, found[2]
        folder = [*folder[: depth + 1], folder[depth] / name]
        assert folder[-1].exists(), name


def test_the_readme_stays_short() -> None:
    assert len(README.read_text().splitlines()) <= 200


def test_what_is_yaml_can_be_read() -> None:
    for path in DOCUMENTS:
        for block in blocks(path, "yaml"):
            assert isinstance(yaml.safe_load(block), dict)
