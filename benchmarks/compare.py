"""Compare Tensoria with nginx and with the naive gateway, by one command, and draw it.

    python benchmarks/compare.py [--out FOLDER]

Runs three kinds of bench.py with short defaults (about three minutes), and writes compare.svg,
compare.md and every single measurement (*.jsonl). Needs what bench.py needs: gcc, nginx, wrk.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chart import Measure, to_markdown, to_svg

HERE = Path(__file__).resolve().parent
REFERENCE = "naive"
PROGRAMS = ("gcc", "nginx", "wrk")

Record = dict[str, Any]


def main() -> int:
    """Measure, draw, and print the table."""
    args = _parse()
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        print(f"missing: {', '.join(missing)}; see benchmarks/README.md", file=sys.stderr)
        return 2
    gateways = args.gateways.split(",")
    folder = Path(args.out or tempfile.mkdtemp(prefix="tensoria-compare-"))
    folder.mkdir(parents=True, exist_ok=True)
    records = [record for kind in _kinds(args) for record in _measure(kind, args, folder)]
    measures = to_measures(records)
    table = to_markdown(measures, gateways, REFERENCE) + failed(records)
    (folder / "compare.svg").write_text(to_svg(measures, gateways, REFERENCE))
    (folder / "compare.md").write_text(table)
    print(f"{table}in brackets: times better than {REFERENCE}\nwritten to {folder}")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a folder for the results; default: a temporary one")
    parser.add_argument("--gateways", default="nginx,naive,tensoria", help=f"with {REFERENCE}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=300, help="open at the same time")
    parser.add_argument("--quiet", type=float, default=5, help="wait so long for an idle machine")
    args = parser.parse_args()
    if REFERENCE not in args.gateways.split(","):
        parser.error(f"--gateways must hold {REFERENCE}")
    return args


def _kinds(args: argparse.Namespace) -> list[list[str]]:
    """Return bench.py's arguments of each kind."""
    return [
        ["nonstream", "-c", "16", "-d", "2"],
        ["stream", "-c", str(args.streams), "--ms", "50", "--tokens", "60"],
        ["throughput", "-c", "32", "--tokens", "500", "-n", "64"],
    ]


def _measure(kind: list[str], args: argparse.Namespace, folder: Path) -> list[Record]:
    """Run one kind; its records are those of this run alone."""
    out = folder / f"{kind[0]}.jsonl"
    out.unlink(missing_ok=True)
    asked = ["-g", args.gateways, "-r", str(args.rounds), "--quiet", str(args.quiet)]
    command = [sys.executable, str(HERE / "bench.py"), *kind, *asked, "--out", str(out)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return [json.loads(line) for line in out.read_text().splitlines()]


def to_measures(records: Sequence[Record]) -> list[Measure]:
    """Take the medians of what the issue sets as goals."""
    nonstream, stream, throughput = (
        [each for each in records if each["kind"] == kind]
        for kind in ("nonstream", "stream", "throughput")
    )
    return [
        # Seconds of a thousand are milliseconds of one.
        Measure("CPU of a whole answer", "ms", _medians(nonstream, "cpu_per_1000")),
        Measure("CPU of a streamed chunk", "ms", _medians(stream, "cpu_per_1000")),
        Measure("first token, p99", "µs", _medians(stream, "res", "ttft", "p99")),
        Measure(
            "chunks at saturation",
            "1/s",
            _medians(throughput, "res", "events_per_s"),
            less_is_better=False,
        ),
    ]


def failed(records: Iterable[Record]) -> str:
    """Tell how many requests failed: a ratio of gateways that fail says nothing."""
    counts: dict[str, int] = {}
    for record in records:
        result = record["res"]
        bad = (
            result["errors"] + result["non2xx"]
            if record["kind"] == "nonstream"
            else result["streams"] - result["ok"]
        )
        counts[record["gw"]] = counts.get(record["gw"], 0) + bad
    told = ", ".join(f"{gateway} {count}" for gateway, count in counts.items())
    return f"\nfailed requests: {told}\n"


def _medians(records: Iterable[Record], *path: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for record in records:
        value: Any = record
        for name in path:
            value = value[name]
        values.setdefault(record["gw"], []).append(value)
    return {gateway: statistics.median(each) for gateway, each in values.items()}


if __name__ == "__main__":
    sys.exit(main())
