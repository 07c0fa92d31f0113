"""The commands of the guides, as far as they can be held without running them."""

import re
import subprocess
from pathlib import Path

import pytest

from tensoria.config import Settings

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "deploy-gcp.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_block_is_what_a_shell_can_read(number: int) -> None:
    subprocess.run(["bash", "-n"], input=BLOCKS[number].encode(), check=True)


def test_every_file_of_the_project_that_the_guide_names_is_there() -> None:
    named = re.findall(r"(?:/usr/local/src/tensoria/|-f )([\w./*-]+)", "\n".join(BLOCKS))

    assert {"deploy/tensoria.service", "nginx.conf", "compose.gpu.yml"} <= set(named)
    for name in named:
        assert list(ROOT.glob(name)), name


def test_the_limits_of_time_grow_outwards() -> None:
    """The guide's chain is the one that the files and the defaults have."""
    told = re.search(
        r"first token \((\d+) s\) < the whole answer \((\d+) s\) < nginx \((\d+) s\) < load\n"
        r"balancer \((\d+) s\)",
        GUIDE,
    )
    assert told is not None
    seconds = [int(each) for each in told.groups()]
    settings = Settings.from_env({})
    (nginx,) = re.findall(r"proxy_read_timeout (\d+)s;", (ROOT / "nginx.conf").read_text())
    (balancer,) = re.findall(r"--timeout=(\d+)", GUIDE)

    assert seconds == sorted(set(seconds))
    assert seconds == [
        settings.timeout_seconds,
        settings.total_timeout_seconds,
        int(nginx),
        int(balancer),
    ]
