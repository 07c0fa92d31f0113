"""The project's own Dockerfile and docker-compose.yml, built and run by podman.

What stands in for the images of the registries is Debian's Python and nginx, and recordings of a
real Ollama.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.documents import GUIDE, commands
from tests.e2e.containers import images
from tests.e2e.containers.checkout import check_out
from tests.e2e.containers.podman import Podman
from tests.e2e.nginx import make_certificate
from tests.e2e.service import free_port, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PROJECT = "tensoria-e2e"
API, OLLAMA, NGINX = f"{PROJECT}_api_1", "tensoria-ollama", f"{PROJECT}_nginx_1"
VOLUME = f"{PROJECT}_ollama"
KEY = "container-key-0123456789"
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Stack:
    """The compose file brought up: its checkout, its ports, and podman to look at it."""

    podman: Podman
    folder: Path
    api_port: int
    ollama_port: int
    https_port: int
    base: str

    @property
    def api_url(self) -> str:
        """The service, on the port that compose published."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def url(self) -> str:
        """The service through nginx."""
        return f"https://127.0.0.1:{self.https_port}"

    def compose(self, *arguments: str) -> None:
        """Run a command of the guide, with podman-compose in Docker's place."""
        environ = {
            "API_KEY": KEY,
            "API_KEYS_FILE": "data/keys.toml",
            "API_PORT": str(self.api_port),
            "OLLAMA_PORT": str(self.ollama_port),
            "HTTP_PORT": str(free_port()),
            "HTTPS_PORT": str(self.https_port),
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_PROFILES": "production",
            # podman's bridges are elsewhere than Docker's.
            "TRUSTED_PROXIES": "10.0.0.0/8",
        }
        command = [sys.executable, "-m", "podman_compose", *arguments]
        self.podman.run(command, cwd=self.folder, environ=environ)

    def up(self) -> None:
        """Bring everything up, and wait until it answers through nginx."""
        self.compose("up", "-d")
        log = self.podman.folder / "api.log"
        log.write_text(self.podman("logs", API))
        with self.session() as session:
            wait_for(partial(self._answers, session), "an answer", log)

    def _answers(self, session: requests.Session) -> bool:
        try:
            return session.get(f"{self.url}/health", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def session(self) -> requests.Session:
        """Return a client that trusts nginx's certificate."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.folder / "certs" / "fullchain.pem")
        return session

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what podman knows of a container."""
        (found,) = json.loads(self.podman("container", "inspect", container))
        return dict(found)


@pytest.fixture(scope="module")
def stack(podman: Podman, bare: str) -> Iterator[Stack]:
    """The project's compose file, up, with the profile `production`."""
    folder = podman.folder / "checkout"
    check_out(folder)
    _let_podman_in(folder)
    base = images.make_base(podman, bare)
    images.make_nginx(podman, base)
    stack = Stack(podman, folder, free_port(), free_port(), free_port(), base)
    stack.compose("build", "api")
    images.make_ollama(podman, f"localhost/{PROJECT}_api")
    stack.up()
    yield stack
    for container in (API, OLLAMA, NGINX):
        podman("logs", container, check=False)
    stack.compose("down", "-v")


def _let_podman_in(folder: Path) -> None:
    """Do to a checkout what docs/deploy-gcp.md says, with podman's bridges in place of Docker's."""
    os.chown(folder / "data", 1000, 1000)
    make_certificate(folder / "certs")
    (folder / "acme").mkdir()
    allowlist = folder / "deploy" / "nginx" / "allowlist.conf"
    text = allowlist.read_text()
    changed = text.replace("# allow 172.16.0.0/12;", "allow 10.0.0.0/8;")
    assert changed != text
    allowlist.write_text(changed)


def ask(stack: Stack, url: str, words: str, key: str | None = KEY, **fields: object) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"model": "smollm2:135m", "messages": [{"role": "user", "content": words}], **fields}
    with stack.session() as session:
        return session.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=10)


def test_with_an_ollama_outside_the_service_comes_up_alone(podman: Podman, tmp_path: Path) -> None:
    check_out(tmp_path / "checkout")
    files = ["-f", "docker-compose.yml", "-f", "compose.host-ollama.yml"]
    command = [sys.executable, "-m", "podman_compose", *files, "config"]

    shown = podman.run(command, cwd=tmp_path / "checkout").stdout

    services = yaml.safe_load(shown)["services"]
    assert [name for name, each in services.items() if not each.get("profiles")] == ["api"]
    environment = services["api"]["environment"]
    assert environment["OLLAMA_BASE_URL"] == "http://host.docker.internal:11434"
    assert environment["API_BIND"] == "127.0.0.1"


@pytest.mark.parametrize("key", [None, "another-key"])
def test_without_the_key_there_is_a_401(stack: Stack, key: str | None) -> None:
    for url in (stack.api_url, stack.url):
        answer = ask(stack, url, "Hi", key)

        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"


def test_with_the_key_there_is_an_answer(stack: Stack) -> None:
    for url in (stack.api_url, stack.url):
        answer = ask(stack, url, "What is the capital of France?")

        assert answer.status_code == 200
        content = answer.json()["choices"][0]["message"]["content"]
        assert content.startswith("The capital of France")


def test_a_stream_comes_through_nginx_unbuffered(stack: Stack) -> None:
    """The engine holds its second word back until the first one was read here."""
    body = {"messages": [{"role": "user", "content": "wait"}], "stream": True}
    body["model"] = "smollm2:135m"
    with (
        stack.session() as session,
        session.post(
            f"{stack.url}/v1/chat/completions",
            json=body,
            headers={"X-API-Key": KEY},
            stream=True,
            timeout=10,
        ) as answer,
    ):
        lines = answer.iter_lines(chunk_size=1)
        assert any(b'"Hel"' in line for line in lines)
        session.get(f"http://127.0.0.1:{stack.ollama_port}/go", timeout=5)
        rest = [line for line in lines if line]

    assert any(b'"lo"' in line for line in rest)
    assert rest[-1] == b"data: [DONE]"


def test_nothing_is_published_beyond_loopback(stack: Stack) -> None:
    published = {
        name: {
            port: bindings
            for port, bindings in stack.inspect(name)["HostConfig"]["PortBindings"].items()
            # The others are exposed by the image, and published nowhere.
            if bindings
        }
        for name in (API, OLLAMA, NGINX)
    }

    assert set(published[API]) == {"8002/tcp"}
    assert set(published[OLLAMA]) == {"11434/tcp"}
    assert set(published[NGINX]) == {"80/tcp", "443/tcp"}
    for ports in published.values():
        for bindings in ports.values():
            assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"]


@pytest.mark.parametrize("container", [API, OLLAMA])
def test_the_health_check_tells_well_from_unwell(stack: Stack, container: str) -> None:
    """Stopped as by a debugger, first the process itself and then those that it started."""
    podman = stack.podman
    assert podman.status("healthcheck", "run", container) == 0

    try:
        podman("kill", "--signal", "STOP", container)
        # Fails where that was the only process.
        podman("exec", container, "sh", "-c", "kill -STOP -1", check=False)
        assert podman.status("healthcheck", "run", container) == 1
    finally:
        podman("exec", container, "sh", "-c", "kill -CONT -1", check=False)
        podman("kill", "--signal", "CONT", container)

    assert podman.status("healthcheck", "run", container) == 0


def test_the_service_is_not_root_and_can_write_its_data_alone(stack: Stack) -> None:
    for kind in ("Uid", "Gid"):
        ids = stack.podman("exec", API, "grep", f"^{kind}:", "/proc/1/status").split()[1:]
        assert set(ids) == {"1000"}

    capabilities = stack.podman("exec", API, "sh", "-c", "grep ^CapEff: /proc/1/status")
    assert int(capabilities.split()[1], 16) == 0
    assert stack.podman.status("exec", API, "sh", "-c", "echo > /data/kept") == 0
    assert (stack.folder / "data" / "kept").exists()
    assert stack.podman.status("exec", API, "sh", "-c", "echo > /opt/tensoria/x") != 0


def test_a_hup_reaches_the_service_and_ends_no_container(stack: Stack) -> None:
    """It is how changed keys are read: `docker compose kill -s HUP api`."""
    log = stack.podman.folder / "api.log"
    log.write_text(stack.podman("logs", API))
    workers = _workers_started(stack)

    stack.compose("kill", "-s", "HUP", "api")

    wait_for(lambda: _workers_started(stack) == workers + 1, "a new worker", log)
    assert stack.inspect(API)["State"]["Status"] == "running"


def test_a_key_made_in_the_container_is_admitted_after_a_hup(stack: Stack) -> None:
    key = stack.podman("exec", API, "tensoria", "keys", "new", "ann")
    assert ask(stack, stack.url, "Hi", key=key).status_code == 401
    workers = _workers_started(stack)

    stack.compose("kill", "-s", "HUP", "api")

    log = stack.podman.folder / "api.log"
    wait_for(lambda: _workers_started(stack) == workers + 1, "a new worker", log)
    wait_for(lambda: ask(stack, stack.url, "Hi", key=key).status_code == 200, "the new key", log)
    kept = (stack.folder / "data" / "keys.toml").read_text()
    assert 'name = "ann"' in kept
    assert key not in kept


def _workers_started(stack: Stack) -> int:
    done = stack.podman.run(["podman", "logs", API])
    return (done.stdout + done.stderr).count("Booting worker")


@pytest.mark.parametrize("arguments", [("logs", "api"), ("logs", "ollama"), ("ps",)])
def test_the_commands_of_the_guide_work(stack: Stack, arguments: tuple[str, ...]) -> None:
    stack.compose(*arguments)


def test_the_commands_of_the_portuguese_guide_work(stack: Stack) -> None:
    """In their order, without those that end containers, which other tests run."""
    said = [shlex.split(each)[2:] for each in commands(GUIDE) if each.startswith("docker compose")]
    harmless = [words for words in said if words[0] in ("exec", "kill", "logs", "ps")]
    log = stack.podman.folder / "api.log"
    log.write_text(stack.podman("logs", API))
    workers = _workers_started(stack)

    for verb, *words in harmless:
        # Nobody is at a terminal here, and a log that is followed never ends.
        terminal = ["-T"] if verb == "exec" else []
        stack.compose(verb, *terminal, *(word for word in words if word != "-f"))

    assert len(harmless) >= 8
    wait_for(lambda: _workers_started(stack) == workers + 1, "a new worker", log)


def test_the_models_are_listed_in_the_container_of_the_guide(stack: Stack) -> None:
    """As the guide says it: `docker exec -it tensoria-ollama ollama list`."""
    assert "smollm2:135m" in stack.podman("exec", OLLAMA, "ollama", "list")


def test_the_image_adds_at_most_70_megabytes_to_its_base(stack: Stack) -> None:
    sizes = [
        int(stack.podman("image", "inspect", "--format", "{{.Size}}", name))
        for name in (stack.base, f"localhost/{PROJECT}_api")
    ]

    assert sizes[1] - sizes[0] < 70 * MEGABYTE


def test_no_key_is_in_the_image(stack: Stack) -> None:
    image = stack.podman("image", "inspect", f"localhost/{PROJECT}_api")
    history = stack.podman("history", "--no-trunc", f"localhost/{PROJECT}_api")

    assert KEY not in image + history
    assert "API_KEY" not in image + history


def test_models_outlive_down_and_not_down_with_volumes(stack: Stack) -> None:
    podman = stack.podman
    podman("exec", OLLAMA, "sh", "-c", "echo model > /root/.ollama/blob")
    (stack.folder / "data" / "keys.toml").write_text("")

    stack.compose("down")
    assert podman.status("volume", "exists", VOLUME) == 0
    stack.up()
    assert podman("exec", OLLAMA, "cat", "/root/.ollama/blob") == "model"

    stack.compose("down", "-v")
    assert podman.status("volume", "exists", VOLUME) == 1
    assert (stack.folder / "data" / "keys.toml").exists()
    stack.up()
