"""podman with a storage of its own: what is made here is nobody else's, and goes by its name."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.requirements import need_program

PACKAGES = "podman buildah runc iptables netavark aardvark-dns fuse-overlayfs debootstrap"
INSTALL = f"apt-get install --no-install-recommends {PACKAGES}"
_PROGRAMS = ("podman", "buildah", "runc", "iptables", "debootstrap")
# <linux/capability.h>: to mount, and to make networks.
_SYS_ADMIN, _NET_ADMIN = 21, 12
# A crun refuses the mixed cgroups of some machines, and higher limits are not permitted there.
# Locks in shared memory would be the machine's, and a podman that starts afresh frees all of them.
_CONTAINERS = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
volume_path = "{folder}/volumes"
[network]
network_config_dir = "{folder}/networks"
"""
_STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""


@dataclass(frozen=True, slots=True)
class Podman:
    """podman and podman-compose, and the folder that everything of theirs is in."""

    folder: Path
    environ: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            # The other format has no place for a HEALTHCHECK.
            "BUILDAH_FORMAT": "docker",
        }
        object.__setattr__(self, "environ", environ)

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """Lay the configuration out, or skip the test where podman is not there or cannot run."""
        for program in _PROGRAMS:
            need_program(program, INSTALL)
        if not _may_make_containers():
            pytest.skip("containers cannot be made here: that takes root, to mount and to network")
        (folder / "containers.conf").write_text(_CONTAINERS.format(folder=folder))
        (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
        return cls(folder)

    def __call__(self, *arguments: str, check: bool = True) -> str:
        """Run podman; what it prints, without the last line's end."""
        return self.run(["podman", *arguments], check=check).stdout.strip()

    def status(self, *arguments: str) -> int:
        """Run podman; its exit status."""
        return self.run(["podman", *arguments], check=False).returncode

    def run(
        self,
        command: Sequence[str],
        *,
        check: bool = True,
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in podman's environment; AssertionError, with its output, when it fails."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env={**self.environ, **(environ or {})},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        sys.stdout.write(f"$ {' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}"
        return done

    def wipe(self) -> None:
        """Remove every container, volume, network and image of this storage."""
        self("rm", "--all", "--force", "--volumes")
        self("volume", "prune", "--force")
        self("network", "prune", "--force")
        self("rmi", "--all", "--force")


def _may_make_containers() -> bool:
    """Tell whether this process has the privileges, by what the kernel says of it."""
    status = Path("/proc/self/status").read_text()
    (line,) = [each for each in status.splitlines() if each.startswith("CapEff:")]
    capabilities = int(line.split()[1], 16)
    needed = 1 << _SYS_ADMIN | 1 << _NET_ADMIN
    return os.geteuid() == 0 and capabilities & needed == needed
