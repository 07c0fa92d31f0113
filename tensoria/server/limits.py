"""What the kernel allows the worker's process."""

import fcntl
import os
import resource

from tensoria.server.settings import WORKER_CONNECTIONS

# A stream holds two files, the client's socket and the engine's, and most systems start a process
# with 1024: the 500th stream would be told that the engine cannot be reached. Go does the same
# (go.dev/doc/go1.19#runtime).
FILES = 2 * WORKER_CONNECTIONS + 256


def raise_file_limit() -> None:
    """Raise the number of files that this process may open, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def make_room_for_files() -> None:
    """Have the kernel's table of this process's files as large as it will ever be.

    It grows by doubling when a file does not fit, and in a process with threads the kernel waits
    10 to 20 ms for each growth (expand_fdtable, synchronize_rcu in Linux's fs/file.c): every stream
    stood still while the 64th, 128th, 256th ... file was opened. The table does not shrink.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if soft == resource.RLIM_INFINITY else min(FILES, soft)
    with open(os.devnull) as file:
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, most - 1))
