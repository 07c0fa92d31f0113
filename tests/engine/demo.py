"""The real engine and its model: used where they are, never fetched by a test."""

import os

from tensoria.cli.embedded import Embedded, prepare
from tensoria.engine import install
from tensoria.engine.cache import cache_folder, sha256
from tensoria.engine.minilm import MINILM
from tensoria.engine.model import SMOLLM2
from tests.requirements import need

INSTALL = ".venv/bin/tensoria up --fetch-only"

INSTALL_EMBEDDINGS = f"{INSTALL} --embeddings"


def demo_engine() -> Embedded:
    """Return what `tensoria up --embedded` starts, or skip the test."""
    name, _, version = install.REQUIREMENT.partition("==")
    need(install.installed_version(name) == version, install.REQUIREMENT, INSTALL)
    model = cache_folder(os.environ, "models") / SMOLLM2.member.rpartition("/")[2]
    need(sha256(model) == SMOLLM2.sha256, model.name, INSTALL)
    return prepare(None, os.environ, lambda _line: None)


def demo_engine_with_embeddings() -> Embedded:
    """Return what `tensoria up --embeddings` starts, or skip the test."""
    demo_engine()
    model = cache_folder(os.environ, "models") / MINILM.file
    need(sha256(model) == MINILM.sha256, model.name, INSTALL_EMBEDDINGS)
    return prepare(None, os.environ, lambda _line: None, embeddings=True)
