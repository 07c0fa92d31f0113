"""Every cell of the matrix: fault by engine, endpoint and form of the answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.asking import FORMS
from tests.faults.benches import (
    Bench,
    Found,
    find_killed,
    find_restarted,
    find_unreached,
    no_thread_left,
)
from tests.faults.dialects import ENDPOINTS, ENGINES
from tests.faults.expected import EXPECTED, HELLO, VECTOR
from tests.faults.faults import KILLED, NOTICED_LATE, RESTARTED, SCRIPTED, UNREACHED
from tests.faults.page import page

FORMS_OF = {"embeddings": ("whole",), "messages": ("sse", "whole")}
CELLS = [
    pytest.param(fault, engine, endpoint, form, id=f"{fault}-{engine}-{endpoint}-{form}")
    for fault in EXPECTED
    for engine in ENGINES
    for endpoint in ENDPOINTS
    for form in FORMS_OF.get(endpoint, FORMS)
]


@pytest.fixture(scope="module")
def benches() -> Iterator[dict[str, Bench]]:
    """One for each engine."""
    made = {engine: Bench(engine) for engine in ENGINES}
    yield made
    for bench in made.values():
        bench.fake.stop()


@pytest.mark.parametrize(("fault", "engine", "endpoint", "form"), CELLS)
def test_a_fault_ends_as_it_should_and_the_next_request_works(
    benches: dict[str, Bench],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    engine: str,
    endpoint: str,
    form: str,
) -> None:
    """`ask` proves that a stream has one terminal state, `find` that no connection is left."""
    row = EXPECTED[fault]
    with no_thread_left():
        outcome, seen, after = _find(benches[engine], monkeypatch, fault, engine, endpoint, form)

    assert outcome == row.outcome(endpoint, form)
    assert seen in (row.seen_at(endpoint), None)
    assert after == (VECTOR if endpoint == "embeddings" else HELLO)


def _find(
    bench: Bench, patch: pytest.MonkeyPatch, fault: str, engine: str, endpoint: str, form: str
) -> Found:
    if fault in SCRIPTED:
        return bench.find(fault, endpoint, form)
    if fault in UNREACHED:
        return find_unreached(fault, engine, endpoint, form, patch)
    if fault == RESTARTED:
        return find_restarted(engine, endpoint, form)
    if fault == NOTICED_LATE:
        return bench.find_late(endpoint, form)
    return find_killed("amid" if fault == KILLED[1] else "before", engine, endpoint, form)


def test_the_table_has_every_fault() -> None:
    assert set(EXPECTED) == {*SCRIPTED, *UNREACHED, *KILLED, RESTARTED, NOTICED_LATE}


def test_the_documentation_is_the_table() -> None:
    """After a change: python -m tests.faults > docs/faults.md."""
    written = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    assert written == page()
