"""The limit on open files, in a process of its own: it cannot be given back."""

import os
import resource
import subprocess
import sys

import pytest

from tensoria.server.limits import FILES

SOURCE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
from tensoria.server.limits import raise_file_limit
raise_file_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.mark.skipif(
    HARD != resource.RLIM_INFINITY and HARD <= FILES,
    reason="only root could give a process more than this system's hard limit",
)
@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        pytest.param(1024, FILES + 1, FILES, id="as far as is needed"),
        pytest.param(1024, 2000, 2000, id="as far as the system lets it"),
        pytest.param(FILES + 1, FILES + 1, FILES + 1, id="never lowered"),
    ],
)
def test_the_limit_on_open_files_is_raised(soft: int, hard: int, raised: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SOURCE, str(soft), str(hard)],
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"{raised} {hard}\n"


ROOM = """
import os, resource
from tensoria.server.limits import make_room_for_files
resource.setrlimit(resource.RLIMIT_NOFILE, (1500, 2000))
make_room_for_files()
def told(name):
    with open("/proc/self/status") as status:
        return next(line.split()[1] for line in status if line.startswith(name))
print(told("FDSize"), len(os.listdir("/proc/self/fd")) < 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what the kernel has room for is told by Linux")
def test_there_is_room_for_all_files_before_the_first_is_opened() -> None:
    """1500 files are as many as the limit allows; the kernel makes room by powers of two."""
    done = subprocess.run(
        [sys.executable, "-c", ROOM],
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "2048 True\n"
