"""One worker's numbers, in the mapped files of prometheus_client's multiprocess mode.

Its own counters would do the same at four times the price: they take a lock for every number, where
a worker's greenlets never give way in between. So only its files are used, and its reader of them.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.utils import floatToGoString

from tensoria.metrics.base import OTHER

Child = TypeVar("Child")

# As the reader takes them from the names of files.
KINDS = ("counter", "histogram", "gauge_livesum")
# In one worker; what is more than that is counted under `other`.
MOST_SERIES = 500


class Files:
    """The files of the worker with this number, as it or one before it left them."""

    def __init__(self, folder: Path, number: int) -> None:
        # All at once: a worker whose open files grow while it runs looks as if it lost some.
        self._open = {
            kind: MmapedDict(str(folder / f"{kind}_{number}.db"))  # type: ignore[no-untyped-call]
            for kind in KINDS
        }

    def number(
        self, kind: str, name: str, sample: str, about: str, labels: Mapping[str, str]
    ) -> "Number":
        """Return one number of a metric, of one of KINDS."""
        key = mmap_key(name, sample, list(labels), list(labels.values()), about)
        return Number(self._open[kind], key)

    def counter(self, name: str, about: str, *labels: str) -> "Children[Number]":
        """Return a counter for each set of labels."""

        def child(values: Sequence[str]) -> Number:
            named = dict(zip(labels, values, strict=True))
            return self.number("counter", name, f"{name}_total", about, named)

        return Children(child)

    def histogram(
        self, name: str, about: str, bounds: Sequence[float], *labels: str
    ) -> "Children[Histogram]":
        """Return a histogram for each set of labels."""

        def child(values: Sequence[str]) -> Histogram:
            named = dict(zip(labels, values, strict=True))
            buckets = [
                self.number("histogram", name, f"{name}_bucket", about, {**named, "le": le})
                for le in [*map(floatToGoString, bounds), "+Inf"]
            ]
            return Histogram(
                bounds, buckets, self.number("histogram", name, f"{name}_sum", about, named)
            )

        return Children(child)

    def close(self) -> None:
        """Close the files; nothing is counted any more."""
        for file in self._open.values():
            file.close()  # type: ignore[no-untyped-call]


class Number:
    """One number, kept where every worker can read it."""

    __slots__ = ("_key", "_value", "_write")

    def __init__(self, file: MmapedDict, key: str) -> None:
        self._key = key
        self._write = file.write_value
        self._value: float = file.read_value(key)[0]  # type: ignore[no-untyped-call]

    def add(self, amount: float = 1) -> None:
        self._value += amount
        self._write(self._key, self._value, 0.0)  # type: ignore[no-untyped-call]


class Histogram:
    """How many observations are in each bucket, and their sum; the reader adds the buckets up."""

    __slots__ = ("_bounds", "_buckets", "_sum")

    def __init__(self, bounds: Sequence[float], buckets: Sequence[Number], sum_: Number) -> None:
        self._bounds = bounds
        self._buckets = buckets
        self._sum = sum_

    def observe(self, value: float) -> None:
        self._buckets[bisect_left(self._bounds, value)].add()
        self._sum.add(value)


class Children(dict[tuple[str, ...], Child], Generic[Child]):
    """One metric's children by their labels, made when they are first asked for."""

    def __init__(self, make: Callable[[Sequence[str]], Child]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, labels: tuple[str, ...]) -> Child:
        if len(self) >= MOST_SERIES:
            labels = tuple(OTHER for _ in labels)
            if labels in self:
                return self[labels]
        child = self[labels] = self._make(labels)
        return child


class Names:
    """The values of one label, at most so many of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """Return a name that is no client's invention, as long as there is room for it."""
        if name not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(name)
        return name

    def known(self, name: str) -> str:
        """Return a name if it was seen with an answer; a client may have made it up."""
        return name if not name or name in self._known else OTHER
