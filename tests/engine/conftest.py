import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tensoria.engine.child import Told

STUB = Path(__file__).with_name("stub_child.py")


@pytest.fixture
def told() -> Told:
    return {
        "model": "/models/some.gguf",
        "alias": "some",
        "other_names": [],
        "embedding": False,
        "chat_template": None,
        "port": 0,
        "api_key": "random",
        "threads": 1,
    }


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The process's own, with an empty cache, and no package registry but the test's folder."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))
    }
    return own | {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }


@pytest.fixture
def stub() -> Callable[..., tuple[str, ...]]:
    """Make the command line of the stub child in one of its modes."""

    def command(*arguments: object) -> tuple[str, ...]:
        return (sys.executable, str(STUB), *map(str, arguments))

    return command


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def closed_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
