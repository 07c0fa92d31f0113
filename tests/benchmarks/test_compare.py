from typing import Any

from compare import failed, to_measures


def stream(kind: str, gateway: str, cpu: float, p99: int, rate: int, ok: int = 9) -> dict[str, Any]:
    result = {"ttft": {"p99": p99}, "events_per_s": rate, "streams": 9, "ok": ok}
    return {"kind": kind, "gw": gateway, "cpu_per_1000": cpu, "res": result}


def whole(gateway: str, cpu: float, errors: int = 0, non2xx: int = 0) -> dict[str, Any]:
    result = {"errors": errors, "non2xx": non2xx}
    return {"kind": "nonstream", "gw": gateway, "cpu_per_1000": cpu, "res": result}


RECORDS = [
    *(whole("naive", cpu) for cpu in (1.0, 9.0, 2.0)),
    whole("tensoria", 0.5, errors=2, non2xx=1),
    stream("stream", "naive", 0.4, 900, 1),
    stream("stream", "tensoria", 0.1, 300, 1, ok=5),
    stream("throughput", "naive", 0.7, 1, 1000),
    stream("throughput", "tensoria", 0.7, 1, 8000),
]


def test_each_measure_is_the_median_of_its_own_kind() -> None:
    measured = [dict(each.values) for each in to_measures(RECORDS)]

    assert measured == [
        {"naive": 2.0, "tensoria": 0.5},
        {"naive": 0.4, "tensoria": 0.1},
        {"naive": 900, "tensoria": 300},
        {"naive": 1000, "tensoria": 8000},
    ]


def test_a_higher_rate_is_better_and_a_lower_cost() -> None:
    ratios = [each.ratio("tensoria", "naive") for each in to_measures(RECORDS)]

    assert ratios == [4, 4, 3, 8]


def test_failed_requests_are_told() -> None:
    assert failed(RECORDS) == "\nfailed requests: naive 0, tensoria 7\n"
