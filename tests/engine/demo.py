"""The real engine and its model: used where they are, never fetched by a test."""

import os

from tensoria.cli.embedded import Embedded, prepare
from tensoria.engine import install
from tensoria.engine.cache import cache_folder, sha256
from tensoria.engine.model import SMOLLM2
from tests.requirements import need

INSTALL = ".venv/bin/tensoria up --fetch-only"


def demo_engine() -> Embedded:
    """Return what `tensoria up --embedded` starts, or skip the test."""
    name, _, version = install.REQUIREMENT.partition("==")
    need(install.installed_version(name) == version, install.REQUIREMENT, INSTALL)
    model = cache_folder(os.environ, "models") / SMOLLM2.member.rpartition("/")[2]
    need(sha256(model) == SMOLLM2.sha256, model.name, INSTALL)
    return prepare(None, os.environ, lambda _line: None)
