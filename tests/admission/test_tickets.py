"""Tickets: a slot is given to one at a time, waited for, and given back exactly once."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tensoria.admission import tickets
from tensoria.admission.lane import Lane
from tensoria.admission.queue import FairQueue
from tensoria.admission.shares import Share
from tensoria.admission.tickets import MOST_LANES, Admission, Ticket
from tensoria.errors import ClientClosed, InvalidRequest, Overloaded, RateLimited, TensoriaError
from tests.waiting import until

Make = Callable[..., Admission]
MODEL = ("m", False)


class Thrown(BaseException):
    """What a watcher throws into a greenlet; no Exception."""


def enter(admission: Admission, caller: str = "a", turns: int = 1) -> Ticket:
    return admission.enter(MODEL, caller, turns=turns, check=lambda: None)


def queue_of(admission: Admission) -> FairQueue[Ticket]:
    return admission._lanes[MODEL].queue


def counts(admission: Admission) -> tuple[int, int]:
    queue = queue_of(admission)
    return queue.running, queue.waiting


def test_a_free_slot_is_had_at_once(make_admission: Make) -> None:
    ticket = enter(make_admission())
    ticket.wait()

    assert (ticket.position, ticket.queued_seconds) == (None, 0)


def test_who_has_no_slot_waits_until_one_is_given_back(make_admission: Make) -> None:
    admission = make_admission()
    first, second = enter(admission), enter(admission)
    assert second.position == 1
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(second.wait)
        assert not waiting.done()
        first.close()
        waiting.result(timeout=5)

    assert counts(admission) == (1, 0)
    assert 0 < second.queued_seconds < 5


def test_a_slot_is_given_back_once(make_admission: Make) -> None:
    admission = make_admission()
    first, second, third = enter(admission), enter(admission), enter(admission)
    for _ in range(3):
        first.close()
    second.wait()

    assert counts(admission) == (1, 1)
    third.close()
    third.close()
    assert counts(admission) == (1, 0)


def test_models_and_embeddings_do_not_wait_for_each_other(make_admission: Make) -> None:
    admission = make_admission()
    for place in (("m", False), ("m", True), ("other", False)):
        assert admission.enter(place, "a", check=pytest.fail).position is None


def test_what_is_wrong_is_told_before_it_waits(make_admission: Make) -> None:
    admission = make_admission()
    enter(admission)

    def check() -> None:
        raise InvalidRequest("No.")

    with pytest.raises(InvalidRequest):
        admission.enter(MODEL, "b", check=check)
    assert counts(admission) == (1, 0)


def test_a_slot_that_is_freed_during_the_check_is_taken(make_admission: Make) -> None:
    admission = make_admission()
    first = enter(admission)
    second = admission.enter(MODEL, "b", check=first.close)

    assert second.position is None
    assert counts(admission) == (1, 0)


def test_a_caller_with_half_of_the_queue_is_refused(make_admission: Make) -> None:
    admission = make_admission(most_waiting=4)
    for _ in range(3):
        enter(admission)

    with pytest.raises(
        RateLimited, match=r"half of its queue \(MAX_QUEUE\).* about 1 s\."
    ) as caught:
        enter(admission)
    assert caught.value.headers == {"Retry-After": "1"}
    assert enter(admission, "b").position == 1


def test_a_full_queue_refuses_everybody(make_admission: Make) -> None:
    admission = make_admission(most_waiting=0)
    enter(admission)

    with pytest.raises(Overloaded, match=r"queue of this model is full \(MAX_QUEUE\)"):
        enter(admission, "b")


def test_a_turn_that_does_not_come_in_time_is_given_up(make_admission: Make) -> None:
    admission = make_admission(timeout_seconds=0.05)
    enter(admission)
    late = enter(admission, "b")

    with pytest.raises(Overloaded, match=r"within 0\.05 seconds \(QUEUE_TIMEOUT\)") as caught:
        late.wait(lambda: False)
    assert caught.value.headers == {"Retry-After": "1"}
    assert late.queued_seconds >= 0.05
    assert counts(admission) == (1, 0)


def test_a_turn_that_comes_at_the_last_moment_is_taken(make_admission: Make) -> None:
    admission = make_admission(timeout_seconds=0.000001)
    first, second = enter(admission), enter(admission)
    first.close()
    second._check_late()
    second.wait()

    assert counts(admission) == (1, 0)


@pytest.mark.parametrize("granted", [False, True])
def test_a_client_that_is_gone_gives_up_its_place(make_admission: Make, granted: bool) -> None:
    """One whose turn has just come passes it on: the next one runs."""
    admission = make_admission()
    first, second, third = enter(admission), enter(admission, "b"), enter(admission, "c")

    def gone() -> bool:
        if granted:
            first.close()
        return True

    with pytest.raises(ClientClosed):
        second.wait(gone)
    assert counts(admission) == ((1, 0) if granted else (1, 1))
    first.close()
    third.wait()


def test_a_watcher_ends_the_wait_at_once(make_admission: Make) -> None:
    admission = make_admission()
    enter(admission)
    ticket = enter(admission, "b")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ticket.wait)
        ticket.leave()
        with pytest.raises(ClientClosed):
            waiting.result(timeout=5)

    assert counts(admission) == (1, 0)


def test_leaving_ends_no_request_that_runs(make_admission: Make) -> None:
    """Whoever runs is ended by what it waits for, not by its ticket."""
    ticket = enter(make_admission())
    ticket.leave()
    ticket.wait()


@pytest.mark.parametrize("when", ["while it waits", "when it was granted"])
def test_an_exception_thrown_into_the_wait_loses_nothing(make_admission: Make, when: str) -> None:
    """As a greenlet's watcher throws: from inside of the call that waits."""
    admission = make_admission()
    first, second, third = enter(admission), enter(admission, "b"), enter(admission, "c")

    def gone() -> bool:
        if when == "when it was granted":
            first.close()
        raise Thrown

    with pytest.raises(Thrown):
        second.wait(gone)
    second.close()
    first.close()
    third.wait()
    third.close()
    assert counts(admission) == (0, 0)


def test_an_exception_while_it_runs_gives_the_slot_back(make_admission: Make) -> None:
    admission = make_admission()
    with pytest.raises(Thrown), enter(admission):
        raise Thrown
    assert counts(admission) == (0, 0)


def test_an_exception_during_the_release_gives_the_slot_back(make_admission: Make) -> None:
    """As in `Events.close`: the stream's own clean-up may be hit, and then hit again."""
    admission = make_admission()
    ticket = enter(admission)
    with pytest.raises(Thrown), ticket, ticket:
        try:
            raise Thrown
        finally:
            raise Thrown
    assert counts(admission) == (0, 0)


def test_no_ticket_is_lost_among_threads(make_admission: Make) -> None:
    """Never more than the limit run, everybody comes to run or leaves, and nothing stays."""
    admission = make_admission(slots=3, most_waiting=1000)
    lock = threading.Lock()
    running, most, served = 0, 0, 0

    def work(number: int) -> None:
        nonlocal running, most, served
        ticket = enter(admission, "abcde"[number % 5], turns=1 + number % 3)
        if number % 7 == 0:
            ticket.leave()
        try:
            ticket.wait(lambda: False)
        except ClientClosed:
            return
        with ticket:
            with lock:
                running += 1
                most = max(most, running)
                served += 1
            with lock:
                running -= 1

    with ThreadPoolExecutor(max_workers=24) as pool:
        done: list[Future[None]] = [pool.submit(work, number) for number in range(700)]
        for each in done:
            each.result(timeout=30)

    assert counts(admission) == (0, 0)
    assert most <= 3
    assert 600 <= served <= 700


def test_the_other_caller_is_next_after_the_one_that_runs(make_admission: Make) -> None:
    """50 of one caller against 1: each runs in a thread of its own."""
    admission = make_admission(most_waiting=100)
    order: list[str] = []
    first = enter(admission, "a")

    def work(ticket: Ticket, caller: str) -> None:
        ticket.wait(lambda: False)
        with ticket:
            order.append(caller)

    with ThreadPoolExecutor(max_workers=51) as pool:
        done = [pool.submit(work, enter(admission, "a"), "a") for _ in range(49)]
        done.append(pool.submit(work, enter(admission, "b"), "b"))
        first.close()
        for each in done:
            each.result(timeout=10)

    assert order == ["b", *["a"] * 49]


def test_what_lies_idle_is_forgotten_when_there_are_many(make_admission: Make) -> None:
    admission = make_admission()
    kept = admission.enter(("kept", False), "a", check=pytest.fail)
    for number in range(MOST_LANES + 1):
        admission.enter((f"x{number}:cloud", False), "a", check=pytest.fail).close()

    assert len(admission._lanes) <= MOST_LANES
    assert admission.enter(("kept", False), "b", check=lambda: None).position == 1
    kept.close()


def test_the_estimate_is_made_from_what_requests_take() -> None:
    lane = Lane(Share(slots=2, most_waiting=8, timeout_seconds=60))
    lane.started(100.0)
    assert lane.estimate(4, now=103.0) == 6.0  # all that is known: it takes longer than 3 s
    lane.ended(10.0)
    assert lane.estimate(4, now=200.0) == 20.0
    lane.ended(20.0)
    assert lane.estimate(4, now=200.0) == 24.0


def test_a_long_wait_is_told_honestly_and_repeated_after_a_minute(
    make_admission: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = make_admission(most_waiting=4)
    clock = iter(float(second) for second in (0, 30, 30, 30, 30, 30, 30, 30))
    monkeypatch.setattr(tickets, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    enter(admission).close()
    for _ in range(3):
        enter(admission)

    with pytest.raises(TensoriaError, match=r"in about 90 s\.") as caught:
        enter(admission)
    assert caught.value.headers == {"Retry-After": "60"}


def test_threads_that_wait_do_not_hold_the_lock(make_admission: Make) -> None:
    admission = make_admission()
    first = enter(admission)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(enter(admission, "b").wait) for _ in range(3)]
        until(lambda: queue_of(admission).waiting == 3)
        assert admission.enter(("other", False), "c", check=pytest.fail).position is None
        for ticket in list(queue_of(admission)._lines["b"].waiting):
            ticket.leave()
        for each in waiting:
            assert isinstance(each.exception(timeout=5), ClientClosed)
    first.close()


def test_another_slot_is_had_only_while_one_is_free(make_admission: Make) -> None:
    admission = make_admission(slots=2)
    ticket = enter(admission, turns=4)
    assert counts(admission) == (1, 0)
    extra = ticket.another()
    assert extra is not None
    assert ticket.another() is None
    assert counts(admission) == (2, 0)

    extra.close()
    extra.close()
    assert counts(admission) == (1, 0)


def test_another_slot_goes_to_who_waits_when_it_is_given_back(make_admission: Make) -> None:
    """One request of many runs delays another by one of them."""
    admission = make_admission(slots=2)
    ticket = enter(admission, turns=4)
    extra = ticket.another()
    other = enter(admission, "b")
    assert extra is not None
    assert other.position == 1
    extra.close()
    other.wait()

    assert ticket.another() is None
    assert counts(admission) == (2, 0)


def test_a_ticket_gives_back_what_is_left_of_its_slots(make_admission: Make) -> None:
    admission = make_admission(slots=3)
    ticket = enter(admission, turns=3)
    first, second = ticket.another(), ticket.another()
    others = [enter(admission, "b"), enter(admission, "c")]
    assert first is not None
    assert second is not None
    first.close()
    ticket.close()
    first.close()
    second.close()
    ticket.close()

    assert counts(admission) == (2, 0)
    for other in others:
        other.close()
    assert counts(admission) == (0, 0)


@pytest.mark.parametrize("state", ["waiting", "over"])
def test_who_does_not_run_gets_no_other_slot(make_admission: Make, state: str) -> None:
    admission = make_admission(slots=1 if state == "waiting" else 2)
    first = enter(admission)
    ticket = enter(admission, "b")
    if state == "over":
        ticket.close()
    else:
        first.close()
        ticket.close()

    assert ticket.another() is None


def test_other_slots_are_charged_no_turns(make_admission: Make) -> None:
    admission = make_admission(slots=3)
    ticket = enter(admission, turns=3)
    owed = queue_of(admission)._lines["a"].owes
    ticket.another()
    ticket.another()

    assert queue_of(admission)._lines["a"].owes == owed == 2
