"""One podman for all that is run in containers, and a bare Debian to begin with."""

from collections.abc import Iterator

import pytest

from tests.e2e.containers import images
from tests.e2e.containers.podman import Podman


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """podman with nothing in it; afterwards nothing is left of what was made."""
    made = Podman.in_folder(tmp_path_factory.mktemp("podman"))
    try:
        yield made
    finally:
        made.wipe()


@pytest.fixture(scope="session")
def bare(podman: Podman) -> str:
    """The name of an image that has Debian in it and nothing else."""
    return images.make_bare(podman)
