"""deploy/tensoria.service, as far as it can be tried where systemd does not run."""

import configparser
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tensoria.config import Settings
from tensoria.server.settings import gunicorn_settings
from tests.e2e.service import clean_environment, free_port, running, wait_for
from tests.fake_ollama import FakeOllama
from tests.requirements import need_program

UNIT = Path(__file__).parents[1] / "deploy" / "tensoria.service"
INSTALL = "apt-get install --no-install-recommends systemd"


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """With a program that is there in place of the one that the guide installs."""
    analyze = need_program("systemd-analyze", INSTALL)
    text, count = re.subn(r"ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text())
    (tmp_path / UNIT.name).write_text(text)

    result = subprocess.run(
        [analyze, "verify", tmp_path / UNIT.name], capture_output=True, text=True, check=False
    )

    assert count == 1
    assert (result.stdout + result.stderr, result.returncode) == ("", 0)


def test_the_unit_is_exposed_to_less_than_4_of_10() -> None:
    analyze = need_program("systemd-analyze", INSTALL)

    result = subprocess.run(
        [analyze, "security", "--offline=yes", UNIT], capture_output=True, text=True, check=True
    )

    (level,) = re.findall(r"exposure level for tensoria.service: ([\d.]+)", result.stdout)
    assert float(level) < 4


def test_a_stop_waits_longer_than_the_service_needs(service: configparser.SectionProxy) -> None:
    """Else systemd kills what the grace still lets run."""
    graceful_timeout = gunicorn_settings(Settings.from_env({}))["graceful_timeout"]

    assert int(service["TimeoutStopSec"]) > graceful_timeout
    assert service["KillMode"] == "mixed"


def test_there_are_files_for_every_connection(service: configparser.SectionProxy) -> None:
    connections = gunicorn_settings(Settings.from_env({}))["worker_connections"]

    assert int(service["LimitNOFILE"]) > 2 * connections


def test_the_settings_are_where_a_reload_reads_them_anew(
    service: configparser.SectionProxy,
) -> None:
    assert "EnvironmentFile" not in service
    assert service["WorkingDirectory"] == "/etc/tensoria"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"


@pytest.mark.e2e
def test_the_command_of_the_unit_tells_systemd_that_it_listens(
    service: configparser.SectionProxy, tmp_path: Path, fake: FakeOllama
) -> None:
    """`Type=notify`: without this word systemd would end the service as one that never came up."""
    program, *arguments = shlex.split(service["ExecStart"])
    assert Path(program).name == "tensoria"
    (tmp_path / ".env").write_text(f"OLLAMA_BASE_URL={fake.url}\nAPI_PORT={free_port()}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(20)
        systemd.bind(str(tmp_path / "notify"))
        environ = clean_environment(tmp_path) | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        # The script that the package's installation put beside this Python.
        ours = str(Path(sys.executable).parent / "tensoria")
        assert os.access(ours, os.X_OK)
        with running([ours, *arguments], tmp_path, environ) as (_, log):
            assert systemd.recv(4096).startswith(b"READY=1")
            # A worker that has not begun its work would not see the end of this block's TERM.
            wait_for(lambda: "tensoria.engine" in log.read_text(), "the worker to begin", log)
