"""Work that goes on without its request, ended as requests are."""

from collections.abc import Callable
from typing import Any

import gevent
import gevent.event

from tensoria.errors import ClientClosed, RequestEnded, ServiceStopping
from tensoria.server.client import SocketClient
from tensoria.server.detached import DetachedClient, Handle


class Work:
    """Waits for an engine, and notes how that ended."""

    def __init__(self, wait: Callable[[], Any] = lambda: gevent.sleep(20)) -> None:
        self.ends: list[str] = []
        self.cleaned = 0
        self.client: DetachedClient
        self._wait = wait

    def __call__(self, client: DetachedClient) -> None:
        self.client = client
        try:
            self._wait()
            self.ends.append("finished")
        except RequestEnded as ended:
            self.ends.append(ended.error.code)
        finally:
            client.stop_watching()
            gevent.sleep(0.02)
            self.cleaned += 1


def begun(work: Work, everybody: set[Any]) -> Handle:
    return Handle(DetachedClient(everybody, work))


def test_it_goes_on_when_its_request_is_over() -> None:
    everybody: set[Any] = set()
    going_on = gevent.event.Event()
    work = Work(going_on.wait)
    request = SocketClient(_NoSocket(), everybody)
    handle = request.detach(work)
    request.stop_watching()
    assert not handle.wait(0.02)
    going_on.set()

    assert handle.wait(5)
    assert (work.ends, work.cleaned) == (["finished"], 1)


class _NoSocket:
    """A connection that is never looked at."""


def test_it_is_among_those_that_a_stop_waits_for_until_it_has_cleaned_up() -> None:
    everybody: set[Any] = set()
    work = Work()
    handle = begun(work, everybody)
    gevent.sleep(0)
    assert everybody == {work.client}
    handle.end(ClientClosed())
    gevent.sleep(0.005)
    assert work.ends == ["client_closed_request"]
    assert everybody == {work.client}

    assert handle.wait(5)
    assert everybody == set()


def test_the_worker_ends_it_from_the_hub() -> None:
    work = Work()
    handle = begun(work, set())
    gevent.sleep(0)
    gevent.get_hub().loop.run_callback(work.client.end, ServiceStopping())

    assert handle.wait(5)
    assert work.ends == ["service_stopping"]


def test_ended_before_its_first_line_it_is_told_at_its_first_wait() -> None:
    work = Work()
    handle = begun(work, set())
    handle.end(ClientClosed())

    assert handle.wait(5)
    assert (work.ends, work.cleaned) == (["client_closed_request"], 1)


def test_nothing_is_thrown_a_second_time_or_into_its_cleaning_up() -> None:
    work = Work()
    handle = begun(work, set())
    gevent.sleep(0)
    handle.end(ClientClosed())
    handle.end(ServiceStopping())
    gevent.sleep(0.005)
    handle.end(ServiceStopping())

    assert handle.wait(5)
    assert (work.ends, work.cleaned) == (["client_closed_request"], 1)


def test_nothing_is_thrown_when_it_is_over() -> None:
    work = Work(lambda: None)
    handle = begun(work, set())
    assert handle.wait(5)

    assert not work.client.end(ClientClosed())


def test_nobody_can_leave_it() -> None:
    work = Work(lambda: None)
    begun(work, set()).wait(5)
    client = work.client
    client.watch()
    client.keep_watching()
    client.heartbeat(1, b"")

    assert not client.gone()
    assert not client.unread()


def test_it_can_have_work_of_its_own() -> None:
    done = []
    everybody: set[Any] = set()

    def work(client: DetachedClient) -> None:
        assert client.lend(lambda: done.append("lent")).wait(5)
        assert client.detach(lambda inner: done.append("detached")).wait(5)

    assert Handle(DetachedClient(everybody, work)).wait(5)
    assert done == ["lent", "detached"]
    assert everybody == set()
