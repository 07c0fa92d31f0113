"""Numbers in files: what their reader makes of them, and how many there can be."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from tensoria.metrics.files import MOST_SERIES, Files, Names

Opened = Callable[[int], Files]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open the files of a worker by its number, as often as wanted."""
    files: list[Files] = []

    def open_files(number: int) -> Files:
        files.append(Files(tmp_path, number))
        return files[-1]

    yield open_files
    for each in files:
        each.close()


def text(folder: Path) -> str:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))
    return generate_latest(registry).decode()


def test_a_counter_goes_on_where_the_worker_before_left_it(opened: Opened, tmp_path: Path) -> None:
    for _ in range(2):
        opened(0).counter("things", "Things", "kind")["a",].add(2)

    assert 'things_total{kind="a"} 4.0' in text(tmp_path)


def test_a_histogram_counts_up_to_its_bounds_and_beyond(opened: Opened, tmp_path: Path) -> None:
    sizes = opened(0).histogram("sizes", "Sizes", (1, 2.5), "kind")
    for size in (0.5, 1, 2, 9):
        sizes["a",].observe(size)

    lines = text(tmp_path).splitlines()
    assert 'sizes_bucket{kind="a",le="1.0"} 2.0' in lines
    assert 'sizes_bucket{kind="a",le="2.5"} 3.0' in lines
    assert 'sizes_bucket{kind="a",le="+Inf"} 4.0' in lines
    assert 'sizes_count{kind="a"} 4.0' in lines
    assert 'sizes_sum{kind="a"} 12.5' in lines


def test_two_workers_add_up(opened: Opened, tmp_path: Path) -> None:
    for number in range(2):
        files = opened(number)
        files.counter("things", "Things")[()].add()
        files.number("gauge_livesum", "now", "now", "Now", {}).add(2)

    assert "things_total 2.0" in text(tmp_path)
    assert "now 4.0" in text(tmp_path)


def test_more_labels_than_there_is_room_for_are_counted_as_other(
    opened: Opened, tmp_path: Path
) -> None:
    things = opened(0).counter("things", "Things", "kind")
    for number in range(MOST_SERIES + 5):
        things[str(number),].add()

    assert len(things) == MOST_SERIES + 1
    assert 'things_total{kind="other"} 5.0' in text(tmp_path)


def test_names_are_known_once_they_were_seen_and_no_more_of_them_than_there_is_room_for() -> None:
    names = Names(2)

    assert names.known("mistral") == "other"
    assert [names.of(name) for name in ("mistral", "qwen3", "llama3", "mistral")] == [
        "mistral",
        "qwen3",
        "other",
        "mistral",
    ]
    assert names.known("mistral") == "mistral"
    assert names.known("") == ""
