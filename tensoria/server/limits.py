"""What the kernel allows the worker's process."""

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
