"""The command line: one module a command, which alone is imported when it is chosen.

May import everything; nothing imports it. `serve` becomes gunicorn's arbiter, whose workers patch
the standard library: nothing here may load ssl (requests, http.client) before they have.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensoria import __version__
from tensoria.cli.failures import CommandError
from tensoria.config import ConfigError
from tensoria.engine.failures import EngineError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 1 it failed, 2 a setting or an option is wrong."""
    args = _parser().parse_args(argv)
    command = importlib.import_module(f"{__name__}.{args.command}")
    try:
        code: int = command.run(args)
    except ConfigError as exc:
        return _refuse(exc, 2)
    except (CommandError, EngineError) as exc:
        return _refuse(exc, 1)
    return code


def _refuse(exc: Exception, code: int) -> int:
    print(f"tensoria: {exc}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tensoria", description="An OpenAI-compatible API in front of Ollama."
    )
    parser.add_argument("--version", action="version", version=f"tensoria {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", help="serve the API in front of the engine that the settings name")
    up = commands.add_parser(
        "up", help="find an engine, or start a small one of our own, and serve the API"
    )
    up.add_argument(
        "--embedded", action="store_true", help="use the embedded engine, even beside an Ollama"
    )
    up.add_argument(
        "--model",
        type=Path,
        metavar="PATH",
        help="a GGUF file for the embedded engine instead of its demo model; implies --embedded",
    )
    up.add_argument(
        "--embeddings",
        action="store_true",
        help="have the embedded engine serve all-MiniLM-L6-v2 for embeddings too (84 MB, fetched "
        "once); implies --embedded",
    )
    up.add_argument(
        "--fetch-only", action="store_true", help="fetch the embedded engine and its model, no more"
    )
    doctor = commands.add_parser(
        "doctor", help="look for what is commonly wrong, and say how it is mended"
    )
    doctor.add_argument(
        "--url", metavar="PUBLIC_URL", help="look at the service as its clients reach it, too"
    )
    doctor.add_argument("--json", action="store_true", help="print what was found as JSON")
    commands.add_parser("compat", help="print what becomes of each field of a request")
    _add_keys(commands)
    usage = commands.add_parser("usage", help="show what each key has used")
    usage.add_argument("--csv", action="store_true", help="as CSV, for a spreadsheet or a script")
    usage.add_argument("--since", metavar="DAY", help="from this day on (UTC), such as 2027-01-31")
    return parser


def _add_keys(commands: Any) -> None:
    parser = commands.add_parser("keys", help="make, list and revoke keys (API_KEYS_FILE)")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a key, print it once, and keep its hash")
    new.add_argument("name", metavar="NAME", help="who it is for; it stands in logs and in usage")
    new.add_argument("--requests-per-minute", metavar="N")
    new.add_argument("--tokens-per-minute", metavar="N")
    new.add_argument("--max-concurrency", metavar="N", help="how many of its requests at a time")
    new.add_argument("--models", metavar="A,B", help="the only models that it may use")
    new.add_argument("--expires", metavar="DAY", help="its last day (UTC), such as 2027-01-31")
    new.add_argument(
        "--end-users",
        action="store_true",
        help="it stands for many people, whom its front end names; each is a caller of its own",
    )
    actions.add_parser("list", help="show the keys and their limits")
    revoke = actions.add_parser("revoke", help="take a key out")
    revoke.add_argument("name", metavar="NAME")
