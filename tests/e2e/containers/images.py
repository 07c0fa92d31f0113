"""Stand-ins for the images of the registries, under their names.

With them the project's own files build and run unchanged where no registry is reached.
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
BARE = "localhost/bare"
# One for both: an image more costs time, and the service's own packages are in its venv.
_PYTHON = """
FROM {bare}
RUN apt-get -q update \
    && apt-get -q -y install --no-install-recommends python3 python3-venv nginx-light \
    && rm -r /var/lib/apt/lists
"""
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


def make_bare(podman: Podman) -> str:
    """Make an image of the smallest Debian, and return its name."""
    root = podman.folder / "root"
    podman.run(
        ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root)],
        environ={"DEBIAN_FRONTEND": "noninteractive"},
    )
    _let_pip_through(root)
    archive = podman.folder / "root.tar"
    podman.run(["tar", "-C", str(root), "-cf", str(archive), "."])
    podman("import", str(archive), BARE)
    archive.unlink()
    shutil.rmtree(root)
    return BARE


def make_base(podman: Podman, bare: str) -> str:
    """Make the image that the Dockerfile is based on, and return its name."""
    (name,) = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    full = f"docker.io/library/{name}"
    _build(podman, full, _PYTHON.format(bare=bare), _empty(podman))
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
    name = f"docker.io/library/{_image('nginx')}"
    _build(podman, name, _NGINX.format(base=base), _empty(podman))


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


def _empty(podman: Podman) -> Path:
    folder = podman.folder / "empty"
    folder.mkdir(exist_ok=True)
    return folder


def _image(service: str) -> str:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return str(compose["services"][service]["image"])


def _build(podman: Podman, name: str, instructions: str, context: Path) -> None:
    file = podman.folder / "Containerfile"
    file.write_text(instructions)
    podman("build", "--quiet", "--tag", name, "--file", str(file), str(context))
