"""Every recording of a real Ollama, replayed, against what a person expects of the gateway.

Each is replayed as it was recorded, with its body in HTTP chunks of at most seven bytes that end
inside letters, and with the framed bytes cut at random, inside chunk sizes too.
"""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.expectations import (
    EXPECTATIONS,
    Answer,
    Broken,
    Called,
    Completed,
    Context,
    Embedded,
    Forced,
    Formed,
    Judged,
    ModelList,
    NotAsked,
    NotEmbedded,
    Ready,
    Refused,
    Thought,
    Told,
)
from tests.expectations.checks import (
    REPLAYED,
    STREAMING,
    Replay,
    ask,
    check_answer,
    check_error,
    check_refusal,
    each,
    events,
    gateway,
    text_of,
)
from tests.fake_ollama import RELEASES, FakeOllama, Recording, replay


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, tuple[FakeOllama, FlaskClient]]]:
    """One engine and one gateway for each release; only their /api/chat is scripted."""
    fakes = {release: FakeOllama(release) for release in RELEASES}
    try:
        yield {release: (fake, gateway(fake)) for release, fake in fakes.items()}
    finally:
        for fake in fakes.values():
            fake.stop()


def test_every_recording_has_an_expectation_and_every_expectation_a_recording() -> None:
    recorded = {(recording.release, recording.name) for recording in Recording.all()}
    assert recorded == set(EXPECTATIONS)


def test_every_kind_of_expectation_is_tested_here() -> None:
    about = {ModelList, Ready, Context, Told, NotAsked}
    embedded = {Embedded, NotEmbedded}
    answered = {Answer, Called, Completed, Forced, Formed, Judged, Refused, Broken, Thought}
    tested = answered | embedded | about
    assert {type(expectation) for expectation in EXPECTATIONS.values()} == tested


@each(Answer)
@REPLAYED
@STREAMING
def test_chat_is_answered(
    engines: dict[str, tuple[FakeOllama, FlaskClient]],
    recording: Recording,
    expected: Answer,
    replayed: Replay,
    streaming: bool,
) -> None:
    fake, client = engines[recording.release]
    fake.script("/api/chat", replayed(recording))
    check_answer(ask(client, streaming=streaming), expected, streaming=streaming)


@STREAMING
def test_chat_in_its_own_time_is_answered(
    engines: dict[str, tuple[FakeOllama, FlaskClient]], streaming: bool
) -> None:
    fake, client = engines["0.32.15"]
    recording = Recording.load("0.32.15", "chat-stream")
    expected = EXPECTATIONS["0.32.15", "chat-stream"]
    assert isinstance(expected, Answer)
    fake.script("/api/chat", replay(recording, timed=True))
    check_answer(ask(client, streaming=streaming), expected, streaming=streaming)


@each(Refused)
@REPLAYED
@STREAMING
def test_chat_is_refused_with_its_true_status(
    engines: dict[str, tuple[FakeOllama, FlaskClient]],
    recording: Recording,
    expected: Refused,
    replayed: Replay,
    streaming: bool,
) -> None:
    fake, client = engines[recording.release]
    fake.script("/api/chat", replayed(recording))
    check_refusal(ask(client, streaming=streaming), expected)


@each(Broken)
@REPLAYED
@STREAMING
def test_broken_stream_ends_in_an_error(
    recording: Recording, expected: Broken, replayed: Replay, streaming: bool
) -> None:
    with FakeOllama(recording.release) as fake:
        fake.script("/api/chat", replayed(recording))
        # Only the recordings of silence come to this limit; the others are over in no time.
        limit = "0.3" if recording.ended == "silence" else "30"
        response = ask(gateway(fake, STREAM_IDLE_TIMEOUT=limit), streaming=streaming)
        if recording.ended == "silence":
            # The engine is freed: the gateway hangs up instead of waiting on.
            fake.wait_for_disconnect()
    if not streaming:
        check_refusal(response, Refused(expected.status, expected.code))
        return
    assert response.status_code == 200
    first, *deltas, last = events(response)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert text_of(deltas) == expected.text
    assert not any(choice["finish_reason"] for chunk in deltas for choice in chunk["choices"])
    check_error(last["error"], expected.code)
