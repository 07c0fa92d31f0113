"""The project's nginx.conf in the real nginx, with ports and folders of a test's own."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.e2e.service import ROOT, clean_environment, free_port, running, wait_for
from tests.requirements import need_program

INSTALL = "apt-get install --no-install-recommends nginx-light openssl"
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx: its two ports, its folder and its certificate."""

    http_port: int
    https_port: int
    folder: Path

    @property
    def url(self) -> str:
        """The address that is called."""
        return f"https://127.0.0.1:{self.https_port}"

    @property
    def open_url(self) -> str:
        """The address without TLS, where challenges are answered and nothing else."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def certificate(self) -> Path:
        """What a client must trust."""
        return self.folder / "certs" / "fullchain.pem"

    def session(self, address: str = "127.0.0.1") -> requests.Session:
        """Return a client that trusts the certificate and calls from an address of loopback."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.certificate)
        session.mount("https://", _From(address))
        session.mount("http://", _From(address))
        return session


class _From(requests.adapters.HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=(self._address, 0))  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def running_nginx(
    folder: Path, gateway_port: int, *, allow: str | None = None, instead: Mapping[str, str] = {}
) -> Iterator[Nginx]:
    """Run nginx until the block ends.

    `allow` is an allowlist in place of the project's own; `instead` replaces words of nginx.conf,
    for a test that cannot wait as long as they say.
    """
    program = need_program("nginx", INSTALL)
    nginx = Nginx(free_port(), free_port(), folder)
    make_certificate(folder / "certs")
    (folder / "acme").mkdir()
    _lay_out(nginx, gateway_port, instead)
    if allow is not None:
        (folder / "tensoria" / "allowlist.conf").write_text(allow)
    main = f"daemon off; pid {folder}/nginx.pid;" + (" user root;" if os.geteuid() == 0 else "")
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", main]
    with running(command, folder, clean_environment(folder)) as (_, log):
        wait_for(lambda: _listens(nginx.https_port), "nginx to listen", log)
        yield nginx


def make_certificate(folder: Path) -> None:
    """Make a certificate for 127.0.0.1 that is its own authority."""
    folder.mkdir(parents=True)
    command = (
        f"{need_program('openssl', INSTALL)} req -x509 -newkey ec -pkeyopt"
        " ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
        f" -addext subjectAltName=IP:127.0.0.1 -keyout {folder}/privkey.pem"
        f" -out {folder}/fullchain.pem"
    )
    subprocess.run(command.split(), check=True, capture_output=True)


def _lay_out(nginx: Nginx, gateway_port: int, instead: Mapping[str, str]) -> None:
    """Copy the project's files, with this test's ports and folders and nothing else changed."""
    folder = nginx.folder
    temporary = "".join(f" {kind}_temp_path {folder}/{kind};" for kind in _TEMPORARY)
    text = (ROOT / "nginx.conf").read_text()
    ours = {
        "listen 80 ": f"listen 127.0.0.1:{nginx.http_port} ",
        "listen 443 ": f"listen 127.0.0.1:{nginx.https_port} ",
        "root /var/www/acme;": f"root {folder}/acme;",
        "http {": "http {" + temporary,
        **instead,
    }
    for theirs, our in ours.items():
        assert text.count(f" {theirs}") + text.startswith(theirs) + text.count(f"\n{theirs}") == 1
        text = text.replace(theirs, our)
    for theirs in ("/etc/nginx/tensoria", "/etc/nginx/certs", "/var/log/nginx"):
        assert theirs in text
        text = text.replace(theirs, str(folder / Path(theirs).name))
    (folder / "nginx").mkdir()
    (folder / "nginx.conf").write_text(text)
    (folder / "tensoria").mkdir()
    for file in (ROOT / "deploy" / "nginx").glob("*.conf"):
        words = file.read_text().replace("127.0.0.1:8002;", f"127.0.0.1:{gateway_port};")
        (folder / "tensoria" / file.name).write_text(words)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
