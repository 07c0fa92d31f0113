from collections.abc import Callable

import pytest
from soak_processes import Sample
from soak_report import Report

IDLE = Sample(pid=2, rss_kb=50_000, descriptors=9, clients=0, engine_connections=3)
SAMPLES = [Sample(2, 50_000 + number, 60, 40, 40) for number in range(48)]


def well() -> Report:
    return Report(samples=list(SAMPLES), before=IDLE, after=IDLE, streams_held=20)


def test_a_run_in_which_nothing_grew_is_well() -> None:
    assert well().complaints() == []


def a_lie(report: Report) -> None:
    report.lies["it hangs"] += 1


def memory_that_grows(report: Report) -> None:
    report.samples = [Sample(2, 50_000 + 200 * number, 60, 40, 40) for number in range(48)]


def a_descriptor_left_over(report: Report) -> None:
    report.after = Sample(2, 50_000, 10, 0, 3)


def a_pool_that_grows(report: Report) -> None:
    report.after = Sample(2, 50_000, 9, 0, 21)


def a_busy_engine(report: Report) -> None:
    report.left_active = 1


def a_traceback(report: Report) -> None:
    report.tracebacks = 1


def no_worker(report: Report) -> None:
    report.after = None


@pytest.mark.parametrize(
    ("happened", "complaint"),
    [
        (a_lie, "1 lies: it hangs"),
        (memory_that_grows, "the worker's memory grew by 8.9 %"),
        (a_descriptor_left_over, "descriptors are left over"),
        (
            a_pool_that_grows,
            "the pool has more connections to the engine than there were streams",
        ),
        (a_busy_engine, "the engine is still answering 1 requests"),
        (a_traceback, "1 tracebacks in the gateway's log"),
        (no_worker, "there is no worker to look at"),
    ],
)
def test_a_complaint_says_what_is_not_well(
    happened: Callable[[Report], None], complaint: str
) -> None:
    report = well()
    happened(report)

    assert report.complaints() == [complaint]


def test_memory_is_that_of_the_last_worker_after_its_warm_up() -> None:
    older = [Sample(1, 90_000, 60, 40, 40)] * 50
    warming_up = [Sample(2, 20_000, 60, 40, 40)] * 16
    warm = [Sample(2, 51_200, 60, 40, 40)] * 32
    report = Report(samples=older + warming_up + warm)

    assert report.rss() == (50.0, 50.0, 0.0)


def test_a_short_run_says_nothing_of_growth() -> None:
    report = well()
    report.samples = SAMPLES[:9]

    assert report.rss()[2] is None
    assert "too short to tell" in report.table()
