"""A newcomer follows docs/deploy-gcp.md in a bare Debian, line by line.

What a container has not: systemd, whose unit's command is run by hand, and a repository to clone.
"""

import configparser
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.containers.checkout import check_out
from tests.e2e.containers.podman import Podman
from tests.e2e.service import ROOT, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

GUIDE = ROOT / "docs" / "deploy-gcp.md"
MACHINE = "tensoria-e2e-guide"
SOURCE = "/usr/local/src/tensoria"


def section(number: int) -> list[str]:
    """Return the commands of one section, as root gives them."""
    (text,) = re.findall(
        rf"^## {number}\. (.*?)(?=^## |\Z)", GUIDE.read_text(), flags=re.MULTILINE | re.DOTALL
    )
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [line.removeprefix("sudo ") for block in blocks for line in block.splitlines()]


def without(lines: list[str], *beginnings: str) -> list[str]:
    left = [line for line in lines if not line.startswith(beginnings)]
    assert len(left) < len(lines), f"{beginnings} are not in the guide"
    return left


@pytest.fixture(scope="module")
def machine(podman: Podman, bare: str) -> Iterator[Podman]:
    """A machine on which sections 4 and 5 were followed, with an engine on it, and all running."""
    source = podman.folder / "source"
    check_out(source)
    for part in ("__init__.py", "fake_ollama", "recordings", "e2e/__init__.py", "e2e/containers"):
        _copy(ROOT / "tests" / part, podman.folder / "stand-in" / "tests" / part)
    mounts = ["-v", f"{source}:{SOURCE}", "-v", f"{podman.folder}/stand-in:/stand-in:ro"]
    podman("run", "-d", "--name", MACHINE, *mounts, bare, "sleep", "infinity")
    service, nginx = section(4), section(5)
    _follow(podman, without(service, "git clone", "systemctl", "curl"))
    _start(
        podman, "/stand-in", "root", "/opt/tensoria/bin/python -m tests.e2e.containers.ollama serve"
    )
    unit = _unit(podman)
    _start(podman, unit["WorkingDirectory"], unit["User"], unit["ExecStart"])
    _wait_for(podman, *(line for line in service if line.startswith("curl")))
    _follow(podman, without(nginx, "systemctl", "curl"))
    _follow(podman, ["nginx"])
    yield podman
    podman("exec", MACHINE, "sh", "-c", "cat /tmp/*.log", check=False)
    podman("rm", "--force", "--time", "1", MACHINE)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


def _follow(podman: Podman, lines: list[str]) -> None:
    script = "\n".join(["export DEBIAN_FRONTEND=noninteractive", *lines, ""])
    podman.run(["podman", "exec", "-i", MACHINE, "bash", "-eux"], stdin=script)


def _unit(podman: Podman) -> configparser.SectionProxy:
    """Return the unit as the guide installed it."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(podman("exec", MACHINE, "cat", "/etc/systemd/system/tensoria.service"))
    return parser["Service"]


def _start(podman: Podman, folder: str, user: str, command: str) -> None:
    """Run a command as systemd would: in a folder, as a user, until the machine ends."""
    log = f"/tmp/{command.split()[-1]}-{user}.log"  # noqa: S108  # a machine of our own
    script = f"cd {folder} && exec runuser -u {user} -- {command} > {log} 2>&1"
    podman("exec", "-d", MACHINE, "bash", "-c", script)


def _wait_for(podman: Podman, check: str) -> None:
    nothing = podman.folder / "guide.log"
    nothing.touch()
    wait_for(
        lambda: podman.status("exec", MACHINE, "bash", "-c", check) == 0, f"`{check}`", nothing
    )


def asked(machine: Podman, path: str, *options: str) -> str:
    """Ask through nginx from the machine itself, with the key where `$KEY` stands."""
    key = "KEY=$(sed -n 's/^API_KEY=//p' /etc/tensoria/.env)"
    command = f"{key}; curl -sSk https://127.0.0.1{path} {' '.join(options)}"
    return machine("exec", MACHINE, "bash", "-c", command)


def test_the_last_line_of_each_section_answers(machine: Podman) -> None:
    for number in (4, 5):
        check = section(number)[-1]
        assert check.startswith("curl")
        assert machine("exec", MACHINE, "bash", "-c", check) == '{"status": "ok"}'


def test_the_machine_answers_with_the_key_and_not_without(machine: Podman) -> None:
    body = '\'{"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}\''
    options = ["-H 'Content-Type: application/json'", f"-d {body}"]

    without_key = asked(machine, "/v1/chat/completions", *options)
    with_key = asked(machine, "/v1/chat/completions", '-H "X-API-Key: $KEY"', *options)

    assert "invalid_api_key" in without_key
    assert "The capital of France" in with_key


def test_only_the_services_group_may_read_the_key(machine: Podman) -> None:
    """And the key is not on the command line of any process."""
    mode = machine("exec", MACHINE, "stat", "-c", "%a %U %G", "/etc/tensoria/.env")
    lines = machine("exec", MACHINE, "bash", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    key = machine("exec", MACHINE, "sed", "-n", "s/^API_KEY=//p", "/etc/tensoria/.env")

    assert mode == "640 root tensoria"
    assert re.fullmatch(r"tensoria_[\w-]{64}", key)
    assert "tensoria serve" in lines
    assert key not in lines


def test_the_way_back_is_one_link(machine: Podman) -> None:
    """Section 10, on the machine that section 4 left: the next release, and back again."""
    lines = without(section(10), "git", "systemctl")

    _follow(machine, lines)

    assert machine("exec", MACHINE, "readlink", "/opt/tensoria") == "/opt/tensoria-1"
    assert machine.status("exec", MACHINE, "test", "-x", "/opt/tensoria-2/bin/tensoria") == 0
