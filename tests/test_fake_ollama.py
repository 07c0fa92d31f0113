"""The fake's bytes: what it sends, where it cuts, and what it notices of its client."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tests.fake_ollama import (
    FAULTS,
    RELEASES,
    Exchange,
    FakeOllama,
    Recording,
    chat_line,
    close,
    done_line,
    hang,
    odd_cuts,
    pieces,
    random_cuts,
    replay,
    reset,
    stream,
)
from tests.fake_ollama.by_hand import CHAT, ask, read_all, read_until

RECORDED = Recording.load("0.32.15", "chat-stream")


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    with FakeOllama() as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as client:
        client.trust_env = False
        yield client


def test_recorded_stream_is_sent_with_its_own_chunks_and_headers(fake: FakeOllama) -> None:
    fake.script("/api/chat", replay(RECORDED))
    with ask(fake.port) as sock:
        wire = read_until(sock, b"\r\n0\r\n\r\n")
    head = [b"HTTP/1.1 200 OK"] + [f"{n}: {v}".encode() for n, v in RECORDED.headers]
    chunks = [b"%x\r\n%s\r\n" % (len(c.data), c.data) for c in RECORDED.chunks]
    assert wire == b"\r\n".join(head) + b"\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"


def test_closing_chunk_has_a_send_of_its_own(fake: FakeOllama) -> None:
    """Go sends it so, and a client that reads only what is there sees the last line before it."""
    sends: list[bytes] = []

    def handler(exchange: Exchange) -> None:
        send_raw = exchange.send_raw

        def note(data: bytes) -> None:
            sends.append(data)
            send_raw(data)

        exchange.send_raw = note  # type: ignore[method-assign]
        replay(RECORDED)(exchange)

    fake.script("/api/chat", handler)
    with ask(fake.port) as sock:
        read_until(sock, b"\r\n0\r\n\r\n")
    assert sends[-1] == b"0\r\n\r\n"
    assert len(sends) == 1 + len(RECORDED.chunks) + 1


def test_body_with_a_length_is_sent_without_chunks(fake: FakeOllama) -> None:
    recording = Recording.load("0.32.15", "chat-plain")
    fake.script("/api/chat", replay(recording))
    with ask(fake.port) as sock:
        wire = read_until(sock, recording.body)
    assert b"Transfer-Encoding" not in wire
    assert wire.endswith(b"\r\n\r\n" + recording.body)


def test_recorded_times_are_kept_when_asked_for(fake: FakeOllama) -> None:
    fake.script("/api/chat", replay(RECORDED, timed=True))
    started = time.monotonic()
    with ask(fake.port) as sock:
        read_until(sock, b"\r\n0\r\n\r\n")
    assert time.monotonic() - started >= RECORDED.chunks[-1].at_ms / 1000


def test_timed_replay_of_cut_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="in its own time"):
        replay(RECORDED, timed=True, chunk_cut=7)


@pytest.mark.parametrize("cut", [1, 7, [1, 2, 500], random_cuts(len(RECORDED.body), seed=5)])
def test_body_cut_into_other_chunks_is_the_same_body(
    fake: FakeOllama, session: requests.Session, cut: int | list[int]
) -> None:
    fake.script("/api/chat", replay(RECORDED, chunk_cut=cut))
    with session.post(f"{fake.url}/api/chat", json=CHAT, stream=True) as answer:
        chunks = list(answer.raw.read_chunked())
    assert chunks == pieces(RECORDED.body, cut)
    assert b"".join(chunks) == RECORDED.body


@pytest.mark.parametrize("cut", [1, 13])
def test_segments_cut_inside_chunk_sizes_are_the_same_body(
    fake: FakeOllama, session: requests.Session, cut: int
) -> None:
    fake.script("/api/chat", replay(RECORDED, segment_cut=cut))
    answer = session.post(f"{fake.url}/api/chat", json=CHAT)
    assert answer.content == RECORDED.body


def test_random_cuts_are_reproducible_and_inside_the_body() -> None:
    cuts = random_cuts(1000, seed=1)
    assert cuts == random_cuts(1000, seed=1)
    assert cuts == sorted(set(cuts))
    assert cuts[0] > 0
    assert cuts[-1] < 1000


def test_recorded_end_of_file_comes_without_the_closing_chunk(fake: FakeOllama) -> None:
    recording = Recording.load("0.32.15", "fault-server-killed")
    fake.script("/api/chat", replay(recording))
    with ask(fake.port) as sock:
        wire = read_all(sock)
    assert wire.endswith(recording.chunks[-1].data + b"\r\n")


def test_replay_can_end_with_a_reset(fake: FakeOllama) -> None:
    fake.script("/api/chat", replay(RECORDED, ending="reset"))
    with ask(fake.port) as sock, pytest.raises(ConnectionResetError):
        read_all(sock)


def test_recorded_silence_lasts_until_the_client_leaves(fake: FakeOllama) -> None:
    recording = Recording.load("0.32.15", "fault-runner-frozen")
    fake.script("/api/chat", replay(recording))
    with ask(fake.port) as sock:
        read_until(sock, recording.chunks[-1].data + b"\r\n")
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(1)
    assert fake.wait_for_disconnect().left_at is not None


@pytest.mark.parametrize(
    "handler", [hang, stream([hang]), stream([chat_line("Hel"), hang])], ids=["0", "head", "line"]
)
@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_client_that_leaves_is_noticed_in_silence(
    fake: FakeOllama, handler: object, how: str
) -> None:
    fake.script("/api/chat", handler)  # type: ignore[arg-type]
    with ask(fake.port) as sock:
        request = fake.wait_for_request()
        if how == "RST":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert fake.wait_for_disconnect() is request
    assert request.over.wait(5)


def test_client_that_leaves_while_a_test_holds_the_stream_is_noticed(fake: FakeOllama) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), threading.Event(), done_line()]))
    with ask(fake.port) as sock:
        read_until(sock, b"Hel")
    assert fake.wait_for_disconnect().over.wait(5)


def test_client_that_leaves_after_the_answer_is_no_disconnect(fake: FakeOllama) -> None:
    with ask(fake.port) as sock:
        read_until(sock, b"\r\n0\r\n\r\n")
    fake.wait_until_idle()
    with pytest.raises(TimeoutError):
        fake.wait_for_disconnect(timeout=0.05)


def test_line_after_an_event_waits_for_it(fake: FakeOllama) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([chat_line("Hel"), gate, done_line()]))
    with ask(fake.port) as sock:
        first = read_until(sock, b'"Hel"')
        assert b'"done":true' not in first
        gate.set()
        read_until(sock, b'"done":true')


def test_close_sends_the_end_of_the_stream(fake: FakeOllama) -> None:
    fake.script("/api/chat", close)
    with ask(fake.port) as sock:
        assert sock.recv(1) == b""


def test_reset_sends_a_reset(fake: FakeOllama) -> None:
    fake.script("/api/chat", reset)
    with ask(fake.port) as sock, pytest.raises(ConnectionResetError):
        sock.recv(1)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_ends_when_its_client_leaves(fake: FakeOllama, name: str) -> None:
    fake.script("/api/chat", FAULTS[name])
    with ask(fake.port):
        fake.wait_for_request()
    fake.wait_until_idle()
    assert fake.received("/api/chat")[0].over.is_set()


@pytest.mark.parametrize("release", RELEASES)
def test_odd_cuts_fall_inside_every_letter_and_are_short(release: str) -> None:
    """Else the replays of test_recordings would not try what they are there for."""
    body = Recording.load(release, "chat-utf8").body
    parts = pieces(body, odd_cuts(body))
    assert b"".join(parts) == body
    assert max(len(part) for part in parts) <= 7
    assert not any(letter.encode() in parts for letter in body.decode() if not letter.isascii())
    assert not body.isascii()
