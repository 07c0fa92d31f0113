"""A checkout of the project as a clone has it, without what a developer's folder has beside."""

import shutil
from pathlib import Path

from tests.e2e.service import ROOT

# What a clone has beside what enters the build of the image.
_FILES = (
    "Dockerfile",
    ".dockerignore",
    "docker-compose.yml",
    "compose.gpu.yml",
    "compose.host-ollama.yml",
    "nginx.conf",
    "deploy",
    "data",
)
_UNWANTED = shutil.ignore_patterns("__pycache__", "*.egg-info")


def check_out(folder: Path) -> None:
    """Copy the project into a folder that is not there yet."""
    folder.mkdir()
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    built = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    for name in (*_FILES, *built):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=_UNWANTED)
        else:
            shutil.copyfile(ROOT / name, folder / name)
