"""`tensoria doctor`: find what is commonly wrong, each with the line that mends it."""

import argparse
import os
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson

from tensoria.cli.doctor_engine import EngineChecks
from tensoria.cli.doctor_network import NetworkChecks
from tensoria.cli.doctor_service import ServiceChecks
from tensoria.cli.findings import Asked, Check, Finding, Said, Unknown
from tensoria.config import ConfigError, Settings, environment
from tensoria.errors import TensoriaError

WELL, ILL = 0, 1


def run(args: argparse.Namespace) -> int:
    """Print what was found. Return 0 where all is well, else 1; ConfigError (2) cannot be run."""
    settings = Settings.from_env(environment(os.environ))
    asked = Asked(settings, _checked(args.url))
    said = {name: _examined(name, check) for name, check in _checks(asked).items()}
    print(_as_json(said) if args.json else _as_text(said))
    return ILL if any(_of(said, Finding)) else WELL


def _checked(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"--url must be an address such as https://ai.example.org, not {url!r}")
    return url.rstrip("/").removesuffix("/v1")


def _checks(asked: Asked) -> Mapping[str, Check]:
    """Return all checks by their names; those of the engine stand in the order they need."""
    service, engine = ServiceChecks(asked.settings), EngineChecks(asked.settings)
    network = NetworkChecks(asked)
    return {
        "key": service.key,
        "workers": service.workers,
        "timeouts": service.timeouts,
        "disk": service.disk,
        "files": service.files,
        "engine": engine.reachable,
        "release": engine.release,
        "exposed": network.exposed,
        "model": engine.default_model,
        "context": engine.context,
        "gpu": engine.gpu,
        "parallel": engine.parallel,
        "clock": network.clock,
        "buffering": network.buffering,
    }


def _examined(name: str, check: Check) -> list[Said]:
    # On stderr: a check that asks the model may load it first, and somebody waits.
    print(f"tensoria: looking at {name}", file=sys.stderr)
    try:
        return list(check())
    except TensoriaError as error:
        # The engine answered a moment ago, and does not any more.
        return [Unknown(error.message)]


def _of(said: Mapping[str, list[Said]], kind: type) -> list[tuple[str, Said]]:
    return [(name, each) for name, all_ in said.items() for each in all_ if isinstance(each, kind)]


def _as_text(said: Mapping[str, list[Said]]) -> str:
    lines = []
    for name, each in [*_of(said, Finding), *_of(said, Unknown)]:
        match each:
            case Finding(problem, mend):
                lines += [f"{name}: {problem}", f"    mend: {mend}"]
            case Unknown(why):
                lines.append(f"{name}: not known. {why}")
    well = [name for name, found in said.items() if not found]
    if well:
        lines.append(f"Well: {', '.join(well)}.")
    count = len(_of(said, Finding))
    lines.append(f"{count} to mend." if count else "Nothing to mend.")
    return "\n".join(lines)


def _as_json(said: Mapping[str, list[Said]]) -> str:
    findings = [
        {"check": name, "problem": each.problem, "mend": each.mend}
        for name, each in _of(said, Finding)
        if isinstance(each, Finding)
    ]
    unknown = [
        {"check": name, "why": each.why}
        for name, each in _of(said, Unknown)
        if isinstance(each, Unknown)
    ]
    well = [name for name, found in said.items() if not found]
    found = {"findings": findings, "unknown": unknown, "well": well}
    return orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()
