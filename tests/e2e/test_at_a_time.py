"""Several choices at a time with the real worker, where every thread is a greenlet."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import openai
import pytest

from tests.backends.test_together import Meeting
from tests.e2e.service import ROOT, Service, wait_for
from tests.e2e.test_leaving import BETWEEN_TOKENS, LEAVE
from tests.e2e.test_service import raw_chat, read_until
from tests.fake_ollama import FakeOllama, Handler, chat_line, close, done_line, hang, stream

pytestmark = pytest.mark.e2e


@pytest.fixture
def client(service: Service) -> openai.OpenAI:
    """OpenAI's own client."""
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key=service.key, max_retries=0)


def test_the_openai_client_reads_three_choices_that_overlap(
    fake: FakeOllama, client: openai.OpenAI
) -> None:
    """The engine says no second word before it has been asked for all three."""
    fake.script("/api/chat", Meeting(3).handle)
    texts = ["", "", ""]
    reasons = []
    with (
        client,
        client.chat.completions.create(
            model="smollm2:135m",
            messages=[{"role": "user", "content": "Hi"}],
            n=3,
            stream=True,
            stream_options={"include_usage": True},
        ) as stream_,
    ):
        for chunk in stream_:
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
                reasons.append(choice.finish_reason)

    assert texts == ["AB"] * 3
    assert [reason for reason in reasons if reason] == ["stop"] * 3
    assert chunk.usage is not None
    assert chunk.usage.completion_tokens == 3


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("others", [hang, BETWEEN_TOKENS], ids=["prefill", "between tokens"])
@LEAVE
def test_a_client_that_leaves_frees_the_engine_of_every_run(
    fake: FakeOllama,
    service: Service,
    others: Handler,
    streamed: bool,
    leave: Callable[[socket.socket], None],
) -> None:
    fake.script("/api/chat", BETWEEN_TOKENS, others, others)
    with raw_chat(service, stream=streamed, n=3) as sock:
        fake.wait_for_request(count=3)
        leave(sock)
        fake.wait_for_disconnect(count=3, timeout=3)
    wait_for(lambda: " status=499 " in service.log.read_text(), "the line", service.log)
    fake.script("/api/chat")
    with raw_chat(service, stream=True, n=3) as sock:
        assert b"[DONE]" in read_until(sock, b"[DONE]")
    assert "Traceback" not in service.log.read_text()


def test_a_run_that_fails_frees_the_engine_of_every_run(fake: FakeOllama, service: Service) -> None:
    gate = threading.Event()
    talks = stream([chat_line("A"), hang])
    fake.script("/api/chat", talks, hang, stream([chat_line("A"), gate, close]))
    with raw_chat(service, stream=True, n=3) as sock:
        fake.wait_for_request(count=3)
        gate.set()
        assert b"engine_error" in read_until(sock, b'"error"')
        fake.wait_for_disconnect(count=2, timeout=3)
    assert "Traceback" not in service.log.read_text()


def test_many_answers_of_many_choices_leave_nothing_behind(
    fake: FakeOllama, service: Service
) -> None:
    """Every third is read to its end, the others are left in the middle."""
    lines = [chat_line("a") for _ in range(50)]
    fake.script("/api/chat", stream([*lines, done_line()]))
    for number in range(30):
        with raw_chat(service, stream=True, n=4) as sock:
            if number % 3:
                read_until(sock, b'"a"')
            else:
                assert b"[DONE]" in read_until(sock, b"[DONE]")
    fake.wait_until_idle()
    with raw_chat(service, stream=True) as sock:
        assert b"[DONE]" in read_until(sock, b"[DONE]")
    assert "Traceback" not in service.log.read_text()


_THROW = """
from gevent import monkey
monkey.patch_all()
from tests.e2e import throwing
throwing.main()
"""


def test_an_answer_that_is_ended_at_any_step_leaves_nothing_behind() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _THROW],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    assert "thrown while it is opened" in done.stdout
    assert "thrown while it is read" in done.stdout
