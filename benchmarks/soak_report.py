"""What the soak has seen, whether that is well, and the table that says so."""

import statistics
from collections import Counter
from dataclasses import dataclass, field

from soak_processes import Sample

RSS_GROWTH_LIMIT_PERCENT = 5.0
# Below it the medians of two quarters say nothing.
FEWEST_SAMPLES = 24


@dataclass(slots=True)
class Report:
    """Counted while it runs; `samples` are of all workers, in the order of time."""

    ends: Counter[str] = field(default_factory=Counter)
    lies: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    aborts: Counter[str] = field(default_factory=Counter)
    reloads: int = 0
    samples: list[Sample] = field(default_factory=list)
    before: Sample | None = None
    after: Sample | None = None
    left_active: int = 0
    streams_held: int = 0
    tracebacks: int = 0

    @property
    def last_worker(self) -> list[Sample]:
        """The samples of the last worker after its warm-up, which is the first third of its life.

        Reloads come in the first half of the run only, so that one worker grows old.
        """
        mine = [each for each in self.samples if each.pid == self.samples[-1].pid]
        return mine[len(mine) // 3 :]

    def rss(self) -> tuple[float, float, float | None]:
        """Return MB at first and at last, and the growth in per cent if there is enough to tell."""
        if not self.samples:
            return 0.0, 0.0, None
        values = [each.rss_kb / 1024 for each in self.last_worker]
        quarter = max(1, len(values) // 4)
        first, last = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
        return first, last, (last / first - 1) * 100 if len(values) >= FEWEST_SAMPLES else None

    def complaints(self) -> list[str]:
        """Return what is not as it must be; nothing means that the soak has passed."""
        found = [f"{count} lies: {reason}" for reason, count in self.lies.items()]
        growth = self.rss()[2]
        if growth is not None and growth > RSS_GROWTH_LIMIT_PERCENT:
            found.append(f"the worker's memory grew by {growth:.1f} %")
        if self.before is None or self.after is None:
            return [*found, "there is no worker to look at"]
        if self.after.descriptors > self.before.descriptors:
            found.append("descriptors are left over")
        # A pool may keep as many as were ever open at once, and not one more.
        if self.after.engine_connections > self.streams_held:
            found.append("the pool has more connections to the engine than there were streams")
        if self.left_active:
            found.append(f"the engine is still answering {self.left_active} requests")
        if self.tracebacks:
            found.append(f"{self.tracebacks} tracebacks in the gateway's log")
        return found

    def table(self) -> str:
        """Return it as Markdown."""
        first, last, growth = self.rss()
        grown = "too short to tell" if growth is None else f"{growth:+.1f} %"
        rows = {
            "streams": _counted(self.ends),
            "error codes": _counted(self.codes),
            "aborts": _counted(self.aborts),
            "faults": _counted(self.faults),
            "reloads": f"{self.reloads}, {len({each.pid for each in self.samples})} workers seen",
            "lies": _counted(self.lies),
            "RSS of the last worker, first, last": f"{first:.1f}, {last:.1f} MB ({grown})",
            "descriptors, first, last": f"{_descriptors(self.before)}, {_descriptors(self.after)}",
            "left over at the engine": f"{self.left_active} active, "
            f"{self.after.engine_connections if self.after else '?'} in the pool",
        }
        width = max(map(len, rows))
        return "\n".join(f"| {name:<{width}} | {value} |" for name, value in rows.items())


def _descriptors(sample: Sample | None) -> str:
    return str(sample.descriptors) if sample else "?"


def _counted(counts: Counter[str]) -> str:
    parts = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{counts.total()} ({parts})" if parts else "0"
