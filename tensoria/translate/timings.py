"""How long an engine took, told in one way whichever engine it was."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from tensoria.wire.openai import Timings


def from_ollama(line: Mapping[str, Any]) -> Timings:
    """Read the last line of a stream: durations in nanoseconds, zeros left out (docs/api.md)."""
    timings: Timings = {}
    if (load := _number(line.get("load_duration"))) is not None:
        timings["load_ms"] = round(load / 1e6, 3)
    _phase(timings, "prefill", line.get("prompt_eval_duration"), line.get("prompt_eval_count"))
    _phase(timings, "decode", line.get("eval_duration"), line.get("eval_count"))
    return timings


def from_llama_cpp(told: object) -> Timings:
    """Read `timings` of llama.cpp's server: milliseconds, and counts without the cached tokens."""
    timings: Timings = {}
    if isinstance(told, dict):
        for phase, name in (("prefill", "prompt"), ("decode", "predicted")):
            duration = _number(told.get(f"{name}_ms"))
            nanoseconds = None if duration is None else duration * 1e6
            _phase(timings, phase, nanoseconds, told.get(f"{name}_n"))
    return timings


def add_up(runs: Iterable[Timings]) -> Timings:
    """Return the timings of several runs as one: times add up, and speeds are over all of them."""
    total: dict[str, float] = {}
    for run in cast("Iterable[Mapping[str, float]]", runs):
        for phase in ("load", "prefill", "decode"):
            _add(total, run, f"{phase}_ms", f"{phase}_tokens_per_second")
    return cast("Timings", total)


def _add(total: dict[str, float], run: Mapping[str, float], time: str, speed: str) -> None:
    before, now = total.get(time, 0.0), run.get(time, 0.0)
    if time in run:
        total[time] = round(before + now, 3)
    if speed in run and before + now > 0:
        tokens = total.get(speed, 0.0) * before + run[speed] * now
        total[speed] = round(tokens / (before + now), 2)


def _phase(timings: Timings, phase: str, nanoseconds: object, tokens: object) -> None:
    duration, count = _number(nanoseconds), _number(tokens)
    if duration is None:
        return
    told = {f"{phase}_ms": round(duration / 1e6, 3)}
    if count is not None and duration > 0:
        told[f"{phase}_tokens_per_second"] = round(count / duration * 1e9, 2)
    timings.update(told)  # type: ignore[typeddict-item]  # the names are those of its members


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
