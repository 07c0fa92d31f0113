"""`tensoria usage`: what each key and each of its end users has used, over all workers."""

import argparse
import csv
import os
import sys

from tensoria.admission import usage_file
from tensoria.cli.failures import CommandError
from tensoria.cli.tables import day, table
from tensoria.config import Settings, environment

_COLUMNS = ("key", "end_user", "requests", "tokens_in", "tokens_out")


def run(args: argparse.Namespace) -> int:
    """Print the sums; raises CommandError where a file cannot be read."""
    folder = Settings.from_env(environment(os.environ)).data_dir / "usage"
    since = None if args.since is None else day("since", args.since)
    try:
        used = usage_file.read(folder, since)
    except (usage_file.Unreadable, OSError) as error:
        raise CommandError(f"{folder} (DATA_DIR) cannot be read: {error}") from None
    rows = [(*names, *counts) for names, counts in sorted(used.items())]
    if args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    else:
        shown = [(key, user or "-", *counts) for key, user, *counts in rows]
        print(table([name.upper().replace("_", " ") for name in _COLUMNS], shown), end="")
    return 0
