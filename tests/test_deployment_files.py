"""What can be proven about the deployment files without a container engine."""

import configparser
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tensoria.config import Settings
from tensoria.server.settings import KEEPALIVE_SECONDS

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
    return loaded


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(read("setup.cfg"))
    return parser


def dockerfile(instruction: str) -> list[str]:
    """Return the arguments of every line of the Dockerfile that starts with an instruction."""
    text = read("Dockerfile").replace("\\\n", " ")
    return re.findall(rf"^{instruction}\s+(.*)$", text, flags=re.MULTILINE)


def default(value: str) -> str:
    """Resolve `${NAME:-default}` as compose does when nothing is set; defaults may be nested."""
    while "${" in value:
        value = re.sub(r"\$\{\w+:-([^${}]*)\}", r"\1", value)
    return value


def test_compose_has_the_two_services_of_the_guide(compose: dict[str, Any]) -> None:
    assert {"api", "ollama"} <= set(compose["services"])
    assert compose["services"]["ollama"]["container_name"] == "tensoria-ollama"


def test_compose_passes_every_setting_to_the_api(compose: dict[str, Any]) -> None:
    """API_HOST is the image's own business, both ports are those that compose publishes, and the
    embedded engine has no place beside an Ollama."""
    names = set(re.findall(r"^#?\s?([A-Z][A-Z_]+)=", read(".env.example"), flags=re.MULTILINE))
    passed = set(compose["services"]["api"]["environment"])

    assert names >= {"API_KEY", "OLLAMA_TIMEOUT"}
    embedded = {"EMBEDDED_EMBEDDINGS", "EMBEDDED_MODEL"}
    assert names - passed == {"API_HOST", "API_PORT", "OLLAMA_PORT"} | embedded
    assert passed <= names | {"API_BIND"}


@pytest.mark.parametrize("service", ["api", "ollama"])
def test_compose_passes_each_variable_under_its_own_name(
    compose: dict[str, Any], service: str
) -> None:
    """The key of the first generation never reached its service."""
    for name, value in compose["services"][service]["environment"].items():
        assert value.startswith(f"${{{name}:-")


def test_the_settings_that_compose_passes_by_default_start_the_service(
    compose: dict[str, Any],
) -> None:
    environ = {
        name: default(value) for name, value in compose["services"]["api"]["environment"].items()
    }

    settings = Settings.from_env(environ | {"API_HOST": "0.0.0.0"})

    assert settings.engine_base_url == "http://ollama:11434"


@pytest.mark.parametrize(("service", "port"), [("api", 8002), ("ollama", 11434)])
def test_compose_publishes_on_loopback_only(
    compose: dict[str, Any], service: str, port: int
) -> None:
    ports = [default(value) for value in compose["services"][service]["ports"]]

    assert ports == [f"127.0.0.1:{port}:{port}"]


def test_models_live_in_a_named_volume(compose: dict[str, Any]) -> None:
    volume, folder = compose["services"]["ollama"]["volumes"][0].split(":")

    assert volume in compose["volumes"]
    assert folder == "/root/.ollama"


def test_the_image_has_a_python_that_the_package_accepts(
    setup_cfg: configparser.ConfigParser,
) -> None:
    required = setup_cfg["options"]["python_requires"].removeprefix(">=").split(".")
    bases = [re.match(r"python:(\d+)\.(\d+)-slim-bookworm\b", base) for base in dockerfile("FROM")]

    assert len(bases) == 2
    for base in bases:
        assert base is not None
        assert tuple(map(int, base.groups())) >= tuple(map(int, required))


def test_the_image_runs_a_command_of_the_package_and_not_as_root(
    setup_cfg: configparser.ConfigParser,
) -> None:
    (command,) = map(json.loads, dockerfile("CMD"))

    assert f"{command[0]} =" in setup_cfg["options.entry_points"]["console_scripts"]
    assert dockerfile("USER") == ["tensoria"]
    assert dockerfile("STOPSIGNAL") == ["SIGTERM"]


def test_no_secret_is_baked_into_the_image() -> None:
    assert "KEY" not in " ".join(dockerfile("ENV") + dockerfile("ARG"))


def test_only_what_the_package_is_built_from_enters_the_build(
    setup_cfg: configparser.ConfigParser,
) -> None:
    rules = [line for line in read(".dockerignore").splitlines() if not line.startswith("#")]
    admitted = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    description = setup_cfg["metadata"]["long_description"].removeprefix("file: ")

    assert rules[0] == "*"
    assert admitted == {
        "pyproject.toml",
        "setup.cfg",
        "tensoria",
        description,
        setup_cfg["metadata"]["license_files"],
    }
    for name in admitted:
        assert (ROOT / name).exists()


@pytest.fixture(params=[200, 503])
def health(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """Serve one status on every path; the port and the status."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param if self.path == "/health" else 500)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, request.param
        server.shutdown()
        thread.join()


def test_the_health_check_of_the_image_tells_well_from_unwell(health: tuple[int, int]) -> None:
    port, status = health
    (check,) = dockerfile("HEALTHCHECK")
    program, *arguments = json.loads(check.partition("CMD ")[2])

    result = subprocess.run(
        [sys.executable, *arguments], env={"API_PORT": str(port)}, capture_output=True, check=False
    )

    assert program == "python3"
    assert (result.returncode == 0) == (status == 200)


def nginx_value(directive: str) -> str:
    (value,) = re.findall(rf"^\s*{directive}\s+([^;{{]+);", read("nginx.conf"), flags=re.MULTILINE)
    return str(value)


def test_nginx_proxies_to_the_gateway_over_kept_connections() -> None:
    port = Settings.from_env({}).api_port
    servers = [
        re.findall(r"^server (.*);$", read(f"deploy/nginx/{name}"), flags=re.MULTILINE)
        for name in ("upstream.conf", "compose/upstream.conf")
    ]

    assert servers == [[f"127.0.0.1:{port}"], [f"api:{port}"]]
    assert nginx_value("proxy_http_version") == "1.1"
    assert nginx_value("proxy_set_header Connection") == '""'
    assert nginx_value("proxy_buffering") == "off"


def test_nginx_hangs_up_idle_connections_before_the_gateway_does() -> None:
    """Else it sends a request into a connection that is just being closed: a 502 for nothing."""
    upstream = read("nginx.conf").partition("upstream tensoria {")[2].partition("}")[0]
    (idle_seconds,) = re.findall(r"keepalive_timeout (\d+)s;", upstream)

    assert int(idle_seconds) < KEEPALIVE_SECONDS


def test_nginx_waits_longer_than_the_gateway() -> None:
    """Else nginx answers for the gateway, in HTML, while the engine works on."""
    settings = Settings.from_env({})

    waits = float(nginx_value("proxy_read_timeout").removesuffix("s"))

    longest = settings.queue_timeout_seconds + settings.load_timeout_seconds
    assert waits > longest + settings.total_timeout_seconds


def test_nginx_lets_nobody_in_but_this_machine_until_it_is_told_to() -> None:
    rules = re.findall(
        r"^(allow|deny) (.*?);", read("deploy/nginx/allowlist.conf"), flags=re.MULTILINE
    )

    assert rules == [("allow", "127.0.0.1"), ("deny", "all")]


def test_the_pages_of_nginxs_errors_have_the_status_that_they_are_for() -> None:
    pages = re.findall(
        r"^location = /_error/(\d+) \{.*?return (\d+) '(.*?)';",
        read("deploy/nginx/errors.conf"),
        flags=re.MULTILINE | re.DOTALL,
    )

    assert {"403", "413", "429", "502", "504"} <= {name for name, _, _ in pages}
    for name, status, body in pages:
        assert name == status
        assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


def test_nginx_lets_every_body_through_that_the_gateway_accepts() -> None:
    limit = int(nginx_value("client_max_body_size").removesuffix("m")) * 1024 * 1024

    assert limit > Settings.from_env({}).max_body_bytes


def test_the_hooks_before_a_commit_run_the_linter_of_the_environment() -> None:
    (repo,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]

    entries = [hook["entry"].split()[:2] for hook in repo["hooks"]]

    assert entries == [[".venv/bin/ruff", "check"], [".venv/bin/ruff", "format"]]


def test_the_second_command_of_the_readme_is_one_line_that_runs_the_tests() -> None:
    """`.ci/run` takes it from there, so that README and CI cannot diverge."""
    blocks = re.findall(r"^```sh\n(.*?)^```", read("README.md"), flags=re.MULTILINE | re.DOTALL)

    assert re.fullmatch(r"[^\n]* && \.venv/bin/pytest\n", blocks[1])


def test_the_ci_script_is_executable_and_parses() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
