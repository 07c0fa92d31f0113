"""`tensoria keys`: make, list and revoke the keys of API_KEYS_FILE."""

import argparse
import hashlib
import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

from tensoria.admission import key_editing, key_file
from tensoria.admission.key import Key
from tensoria.cli.failures import CommandError
from tensoria.cli.tables import day, table
from tensoria.config import ConfigError, Settings, environment

_RELOAD = "It counts from the next reload on (kill -HUP, systemctl reload, docker kill -s HUP)."


def run(args: argparse.Namespace) -> int:
    """Do what was asked; raises ConfigError or CommandError, and then has changed nothing."""
    path = Settings.from_env(environment(os.environ)).api_keys_file
    if path is None:
        raise CommandError(
            "API_KEYS_FILE is not set. Put API_KEYS_FILE=data/keys.toml into .env (or the "
            "service's environment), and start again."
        )
    {"new": _new, "list": _list, "revoke": _revoke}[args.action](path, args)
    return 0


def _new(path: Path, args: argparse.Namespace) -> None:
    options = _options(args)
    key = f"tensoria_{secrets.token_urlsafe(48)}"
    key_editing.add(path, args.name, hashlib.sha256(key.encode()).hexdigest(), options)
    # The key alone on stdout, for a script that puts it where it belongs.
    print(key)
    print(f"This is the key of {args.name}; it is shown once. {_RELOAD}", file=sys.stderr)


def _revoke(path: Path, args: argparse.Namespace) -> None:
    key_editing.remove(path, args.name)
    print(f"{args.name} is revoked. {_RELOAD}", file=sys.stderr)


def _list(path: Path, _args: argparse.Namespace) -> None:
    keys = sorted(key_file.read(path).values(), key=lambda key: key.name)
    head = ("NAME", "REQUESTS/MIN", "TOKENS/MIN", "AT A TIME", "MODELS", "EXPIRES", "END USERS")
    print(table(head, map(_row, keys)), end="")


def _row(key: Key) -> Iterable[object]:
    limits = (key.requests_per_minute, key.tokens_per_minute, key.max_concurrency)
    return (
        key.name,
        *(limit or "-" for limit in limits),
        "all" if key.models is None else ",".join(sorted(key.models)) or "none",
        f"{key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else "never",
        "yes" if key.end_users else "no",
    )


def _options(args: argparse.Namespace) -> dict[str, key_editing.Value]:
    """Return what was asked of a new key, in the file's words; raises ConfigError."""
    options: dict[str, key_editing.Value] = {}
    for name in ("requests_per_minute", "tokens_per_minute", "max_concurrency"):
        if (text := getattr(args, name)) is not None:
            options[name] = _whole(name, text)
    if args.models is not None:
        options["models"] = _names(args.models)
    if args.expires is not None:
        options["expires"] = day("expires", args.expires)
    if args.end_users:
        options["end_users"] = True
    return options


def _whole(option: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= key_file.MOST:
        shown = option.replace("_", "-")
        raise ConfigError(f"--{shown} must be a whole number from 1 to {key_file.MOST}")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    if not names or not text.isprintable():
        raise ConfigError("--models must hold names such as mistral,qwen3:8b")
    return names
