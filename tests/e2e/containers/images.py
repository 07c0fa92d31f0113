"""Stand-ins for the images of the registries, under their names, so that the project's own files
build and run unchanged where no registry is reached.
"""

import configparser
import os
import re
import shutil
import ssl
from pathlib import Path

import yaml

from tests.e2e.containers.podman import Podman
from tests.e2e.service import ROOT

SUITE = "bookworm"
_OLLAMA = """
FROM {api}
USER root
COPY . /stand-in/tests
ENV PYTHONPATH=/stand-in
RUN printf '#!/bin/sh\\nexec python3 -m tests.e2e.containers.ollama "$@"\\n' > /usr/bin/ollama \
    && chmod 755 /usr/bin/ollama
HEALTHCHECK NONE
CMD ["ollama", "serve"]
"""
_NGINX = """
FROM {base}
CMD ["nginx", "-g", "daemon off;"]
"""


def make_base(podman: Podman) -> str:
    """Make the image that the Dockerfile is based on, and return its name."""
    root = podman.folder / "root"
    include = "python3,python3-venv,ca-certificates,nginx-light"
    podman.run(
        ["debootstrap", "--variant=minbase", f"--include={include}", SUITE, str(root)],
        environ={"DEBIAN_FRONTEND": "noninteractive"},
    )
    _let_pip_through(root)
    (name,) = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    full = f"docker.io/library/{name}"
    archive = podman.folder / "root.tar"
    podman.run(["tar", "-C", str(root), "-cf", str(archive), "."])
    podman("import", str(archive), full)
    archive.unlink()
    shutil.rmtree(root)
    return full


def _let_pip_through(root: Path) -> None:
    """Give pip in the image what this machine's pip needs to reach an index."""
    trusted = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile
    inside = "/etc/ssl/certs/ca-certificates.crt"
    if trusted:
        shutil.copyfile(trusted, root / inside.lstrip("/"))
    parser = configparser.ConfigParser(interpolation=None)
    parser["global"] = {"cert": inside}
    for option in ("index-url", "extra-index-url", "timeout"):
        value = os.environ.get(f"PIP_{option.upper().replace('-', '_')}")
        if value:
            parser["global"][option] = value
    with (root / "etc" / "pip.conf").open("w") as file:
        parser.write(file)


def make_nginx(podman: Podman, base: str) -> None:
    """Make Debian's nginx under the name that the compose file asks for."""
    empty = podman.folder / "empty"
    empty.mkdir()
    _build(podman, f"docker.io/library/{_image('nginx')}", _NGINX.format(base=base), empty)


def make_ollama(podman: Podman, api: str) -> None:
    """Make the recordings and the fake under the name that the compose file asks for.

    `api` is the image of the service, for the packages that the fake needs.
    """
    context = podman.folder / "ollama"
    unwanted = shutil.ignore_patterns("__pycache__")
    for part in ("__init__.py", "fake_ollama", "recordings", "e2e/__init__.py", "e2e/containers"):
        source, target = ROOT / "tests" / part, context / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=unwanted)
        else:
            shutil.copyfile(source, target)
    _build(podman, f"docker.io/{_image('ollama')}", _OLLAMA.format(api=api), context)


def _image(service: str) -> str:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return str(compose["services"][service]["image"])


def _build(podman: Podman, name: str, instructions: str, context: Path) -> None:
    file = podman.folder / "Containerfile"
    file.write_text(instructions)
    podman("build", "--quiet", "--tag", name, "--file", str(file), str(context))
