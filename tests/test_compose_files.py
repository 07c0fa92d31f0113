"""The compose files by the letter; tests/e2e/test_containers.py runs them."""

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tensoria.config import ConfigError, Settings

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "tests" / "compose_spec" / "compose-spec.json"
FILES = ("docker-compose.yml", "compose.gpu.yml", "compose.host-ollama.yml")


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return loaded


def resolved(value: str, **variables: str) -> str:
    """Resolve `${NAME:-default}`, nested ones too, as compose does."""
    innermost = re.compile(r"\$\{(\w+):-([^${}]*)\}")
    while innermost.search(value):
        value = innermost.sub(lambda found: variables.get(found[1]) or found[2], value)
    assert "$" not in value
    return value


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = load("docker-compose.yml")["services"]
    return found


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_valid_by_the_published_schema(name: str) -> None:
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(load(name))


def test_a_word_that_compose_does_not_know_is_found() -> None:
    wrong = {"services": {"api": {"image": "x", "port": ["80:80"]}}}

    with pytest.raises(jsonschema.ValidationError, match="port"):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(wrong)


def test_the_schema_is_the_one_that_was_published() -> None:
    digest = hashlib.sha256(SCHEMA.read_bytes()).hexdigest()

    assert digest in (SCHEMA.parent / "README.md").read_text()


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    pinned = [each["image"] for each in services.values() if "image" in each]

    assert len(pinned) == len(services) - 1
    for image in pinned:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d[\w.-]*", image)


def test_every_service_comes_up_again_and_rotates_its_log(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["driver"] == "json-file"
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}


def test_what_the_guide_brings_up_without_a_profile(services: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles", []) for name, service in services.items()}

    assert [name for name, named in profiles.items() if not named] == ["api", "ollama"]
    assert profiles["nginx"] == ["production"]
    assert profiles["prometheus"] == profiles["grafana"] == ["monitoring"]


def test_nothing_is_published_beyond_loopback_by_default(services: dict[str, Any]) -> None:
    ports = [resolved(port) for service in services.values() for port in service.get("ports", [])]

    assert len(ports) >= 4
    for port in ports:
        assert port.startswith("127.0.0.1:")


def test_ollama_stays_on_loopback_whatever_is_set(services: dict[str, Any]) -> None:
    (port,) = services["ollama"]["ports"]

    assert resolved(port, API_BIND="0.0.0.0", NGINX_BIND="0.0.0.0", OLLAMA_PORT="1") == (
        "127.0.0.1:1:11434"
    )


def test_no_value_of_a_secret_stands_in_a_file() -> None:
    for name in FILES:
        text = (ROOT / name).read_text()
        for secret, value in re.findall(r"^\s*(\w*(?:KEY|PASSWORD)):\s*(.*)$", text, re.MULTILINE):
            assert re.fullmatch(r"\$\{\w+:-\}", value), secret


def test_prometheus_finds_the_key_of_the_metrics_in_its_file(
    services: dict[str, Any], tmp_path: Path
) -> None:
    """Run with a program in Prometheus's place that says how it was called."""
    (tmp_path / "prometheus").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "prometheus").chmod(0o755)
    prometheus, scrape = services["prometheus"], (ROOT / "deploy" / "prometheus.yml").read_text()
    (key_file,) = re.findall(r"credentials_file: (\S+)", scrape)
    (command,) = prometheus["command"]
    script = command.replace("$$", "$").replace(key_file, str(tmp_path / "key"))

    told = subprocess.run(
        [*prometheus["entrypoint"], script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "METRICS_KEY": "a key"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (tmp_path / "key").read_text() == "a key"
    mounted = {volume.split(":")[1] for volume in prometheus["volumes"]}
    (config,) = re.findall(r"--config.file=(\S+)", told.stdout)
    assert config in mounted


def test_grafana_finds_its_source_and_its_dashboards_where_they_are_mounted(
    services: dict[str, Any],
) -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "tensoria.yml").read_text())[
        "providers"
    ]

    assert source["url"] == "http://prometheus:9090"
    assert f"./deploy/grafana:{provider['options']['path']}:ro" in services["grafana"]["volumes"]


def started(services: dict[str, Any], **variables: str) -> Settings:
    environ = {
        name: resolved(value, **variables) for name, value in services["api"]["environment"].items()
    }
    return Settings.from_env(environ | {"API_HOST": "0.0.0.0"})


def test_nginx_open_to_the_world_makes_a_key_a_must(services: dict[str, Any]) -> None:
    """The first generation ran in production without its key."""
    with pytest.raises(ConfigError, match=r"^API_KEY must be set"):
        started(services, NGINX_BIND="0.0.0.0")

    assert started(services, NGINX_BIND="0.0.0.0", API_KEY="k").api_keys == ("k",)


@pytest.mark.parametrize("service", ["api", "ollama"])
@pytest.mark.parametrize(
    "name", ["OLLAMA_NUM_PARALLEL", "OLLAMA_KEEP_ALIVE", "OLLAMA_CONTEXT_LENGTH"]
)
def test_both_sides_are_told_what_both_must_know(
    services: dict[str, Any], service: str, name: str
) -> None:
    assert services[service]["environment"][name] == f"${{{name}:-}}"


def test_every_file_that_is_mounted_is_there(services: dict[str, Any]) -> None:
    """Docker would make a folder in its place. Certificates and challenges are the operator's."""
    mounted = [
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]

    assert {"./data", "./nginx.conf", "./deploy/nginx"} <= set(mounted)
    for path in set(mounted) - {"./certs", "./acme"}:
        assert (ROOT / path).exists()


def test_the_service_has_time_to_end_what_it_answers(services: dict[str, Any]) -> None:
    seconds = int(services["api"]["stop_grace_period"].removesuffix("s"))

    assert seconds > Settings.from_env({}).shutdown_grace_seconds + 10


def test_the_service_does_not_wait_for_ollama(services: dict[str, Any]) -> None:
    assert "depends_on" not in services["api"]
    assert services["ollama"]["healthcheck"]["test"] == ["CMD", "ollama", "list"]


def test_an_ollama_outside_of_docker_takes_the_place_of_the_container() -> None:
    override = load("compose.host-ollama.yml")["services"]

    assert set(override) == {"api", "ollama"}
    assert override["ollama"] == {"profiles": ["ollama"]}
    url = resolved(override["api"]["environment"]["OLLAMA_BASE_URL"], OLLAMA_PORT="11435")
    assert url == "http://host.docker.internal:11435"
    assert override["api"]["extra_hosts"] == ["host.docker.internal:host-gateway"]


def test_the_gpu_is_ollamas() -> None:
    override = load("compose.gpu.yml")["services"]

    (device,) = override["ollama"]["deploy"]["resources"]["reservations"]["devices"]
    assert set(override) == {"ollama"}
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
