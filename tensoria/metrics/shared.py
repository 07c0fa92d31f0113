"""Counters and histograms, summed over all workers.

Each worker writes into files of its own in one folder (prometheus_client's multiprocess mode), and
whichever of them is asked adds all up. A worker takes the first number whose lock is free and gives
it back by ending, however it ends; the next one goes on in the same files. So sums outlive a HUP
and a crash, and there are as many files as there were ever workers at once.
"""

import fcntl
import os
from collections.abc import Container, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from tensoria import __version__
from tensoria.metrics.base import OTHER, Fields, Finished
from tensoria.metrics.files import Files, Names

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Of each kind, in one worker; what is more than that is counted under `other`.
MOST_MODELS = 50
MOST_KEYS = 100
MOST_WORKERS = 256
CLIENT_CLOSED = 499

_TOKEN_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_RATES = (1, 2, 5, 10, 20, 40, 60, 80, 120, 200)
_WAIT_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_LOAD_SECONDS = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)


class SharedMetrics:
    """This worker's part, and the text for all of them.

    `fields` are the names of the table of fields: nothing else that a client sent becomes a label.
    """

    def __init__(self, folder: Path, fields: Container[str]) -> None:
        self._folder = folder
        self._fields = fields
        self._models, self._keys = Names(MOST_MODELS), Names(MOST_KEYS)
        self._lock: int | None
        self._number, self._lock = _own_number(folder)
        files = self._files = Files(folder, self._number)
        self._requests = files.counter(
            "tensoria_requests",
            "Requests whose answer is over",
            "endpoint",
            "model",
            "key",
            "status",
        )
        self._tokens_in = files.counter("tensoria_tokens_in", "Tokens of prompts", "model", "key")
        self._tokens_out = files.counter("tensoria_tokens_out", "Tokens of answers", "model", "key")
        self._aborts = files.counter("tensoria_aborts", "Requests that their client left", "state")
        self._ignored = files.counter("tensoria_fields_ignored", "Fields without effect", "field")
        self._adjusted = files.counter(
            "tensoria_fields_adjusted", "Fields that were changed", "field"
        )
        self._loads = files.counter("tensoria_loads", "Loads of models", "model", "outcome")
        self._wedged = files.counter("tensoria_wedged", "Models that stopped to answer", "model")
        self._first_token = files.histogram(
            "tensoria_first_token_seconds",
            "From a request to its first token",
            _TOKEN_SECONDS,
            "model",
        )
        self._rate = files.histogram(
            "tensoria_tokens_per_second", "Speed of an answer, by its engine", _RATES, "model"
        )
        self._queue_wait = files.histogram(
            "tensoria_queue_wait_seconds", "Waits for a slot", _WAIT_SECONDS
        )
        self._load_time = files.histogram("tensoria_load_seconds", "Time of a load", _LOAD_SECONDS)
        waiting = "tensoria_queue_waiting"
        self._waiting = files.number(
            "gauge_livesum", waiting, waiting, "Requests that wait for a slot now", {}
        )

    def finished(self, request: Finished) -> None:
        """See `Metrics.finished`."""
        fields = request.fields
        answered = fields.get("model")
        model = self._model(str(answered)) if answered else self._models.known(request.model)
        key = self._keys.of(request.key)
        self._requests[request.endpoint, model, key, str(request.status)].add()
        if request.first_token_ms is not None:
            self._first_token[model,].observe(request.first_token_ms / 1000)
        if request.tokens_per_second:
            self._rate[model,].observe(request.tokens_per_second)
        if request.tokens_in:
            self._tokens_in[model, key].add(request.tokens_in)
        if request.tokens_out:
            self._tokens_out[model, key].add(request.tokens_out)
        if request.status == CLIENT_CLOSED:
            self._aborts[request.state,].add()
        if (waited_ms := fields.get("queue_ms")) is not None:
            self._queue_wait[()].observe(float(waited_ms) / 1000)
        if "ignored" in fields or "ignored_unknown" in fields or "adjusted" in fields:
            self._count_fields(fields)

    def _count_fields(self, fields: Fields) -> None:
        for name in _names(fields.get("ignored")):
            self._ignored[self._field(name.removesuffix(".*")),].add()
        if unknown := fields.get("ignored_unknown"):
            self._ignored[OTHER,].add(float(unknown))
        for change in _names(fields.get("adjusted")):
            self._adjusted[self._field(change.partition("=")[0]),].add()

    def waits(self, change: int) -> None:
        """See `Metrics.waits`."""
        self._waiting.add(change)

    def loaded(self, model: str, seconds: float, *, failed: bool) -> None:
        """See `Metrics.loaded`."""
        self._loads[self._model(model), "failed" if failed else "loaded"].add()
        self._load_time[()].observe(seconds)

    def wedged(self, model: str) -> None:
        """See `Metrics.wedged`."""
        self._wedged[self._model(model),].add()

    def text(self, *, engine_up: bool) -> bytes:
        """Return the sums over all workers in Prometheus's text format."""
        self._forget_ended()
        registry = CollectorRegistry()
        MultiProcessCollector(  # type: ignore[no-untyped-call]
            registry, path=str(self._folder)
        )
        registry.register(_Now(engine_up))
        return generate_latest(registry)

    def close(self) -> None:
        """Give the number back, once; the process's end does it by itself."""
        lock, self._lock = self._lock, None
        if lock is not None:
            self._files.close()
            os.close(lock)

    def _model(self, name: str) -> str:
        label = self._models.of(name)
        # There with 0 before the first: of a series that begins with 1 Prometheus sees no increase.
        self._wedged[label,]
        return label

    def _field(self, name: str) -> str:
        return name if name in self._fields else OTHER

    def _forget_ended(self) -> None:
        """What an ended worker knew of now is no longer so: nobody waits at it."""
        for path in self._folder.glob("gauge_live*.db"):
            number = int(path.stem.rpartition("_")[2])
            if number == self._number:
                continue
            lock = _locked(self._folder, number)
            if lock is not None:
                path.unlink(missing_ok=True)
                os.close(lock)


class _Now:
    """What is asked when the text is made, and so is in no worker's files."""

    def __init__(self, engine_up: bool) -> None:
        self._engine_up = engine_up

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("tensoria", "This service", value={"version": __version__})
        yield GaugeMetricFamily(
            "tensoria_engine_up", "Whether the engine answers", value=int(self._engine_up)
        )


def _names(listed: object) -> Iterable[str]:
    return str(listed).split(",") if listed else ()


def _own_number(folder: Path) -> tuple[int, int]:
    """Return the first number that no worker has, and its lock."""
    for number in range(MOST_WORKERS):
        lock = _locked(folder, number)
        if lock is not None:
            for path in folder.glob(f"gauge_live*_{number}.db"):
                path.unlink()
            return number, lock
    raise OSError(f"all {MOST_WORKERS} numbers for metrics are in use")


def _locked(folder: Path, number: int) -> int | None:
    """Lock a worker's number for as long as this process lives; None if another has it."""
    lock = os.open(folder / f"worker-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
