"""Recordings of what an engine says of itself, against what the gateway makes of it."""

import requests

from tests.expectations import (
    Answer,
    Context,
    ModelList,
    NotAsked,
    Ready,
    Refused,
    Told,
)
from tests.expectations.checks import (
    MODEL,
    REPLAYED,
    STREAMING,
    Replay,
    ask,
    check_answer,
    check_refusal,
    each,
    gateway,
)
from tests.fake_ollama import FakeOllama, Recording, answer_json, replay


@each(Refused, at="/api/tags")
@REPLAYED
def test_model_list_is_refused(recording: Recording, expected: Refused, replayed: Replay) -> None:
    """A gateway that cannot list the models can neither show them nor answer a chat."""
    with FakeOllama(recording.release) as fake:
        fake.script("/api/tags", replayed(recording))
        client = gateway(fake)
        check_refusal(client.get("/v1/models"), expected)
        check_refusal(ask(client, streaming=False), expected)


@each(ModelList)
@REPLAYED
def test_installed_models_are_listed(
    recording: Recording, expected: ModelList, replayed: Replay
) -> None:
    with FakeOllama(recording.release) as fake:
        fake.script("/api/tags", replayed(recording))
        client = gateway(fake)
        listed = client.get("/v1/models").get_json()["data"]
        one = client.get(f"/v1/models/{MODEL}").get_json()
    assert len(listed) == len(expected.ids)
    assert {model["id"] for model in listed} == expected.ids
    assert {model["created"] for model in listed} == {expected.created}
    assert {model["owned_by"] for model in listed} == {expected.owned_by}
    assert one in listed


@each(Ready)
@REPLAYED
def test_readiness_names_the_release(
    recording: Recording, expected: Ready, replayed: Replay
) -> None:
    with FakeOllama(recording.release) as fake:
        fake.script("/api/version", replayed(recording))
        response = gateway(fake).get("/ready")
    assert response.status_code == 200
    assert expected.version in response.get_data(as_text=True)
    assert bool(response.get_json()["warnings"]) is expected.warned


@each(Context)
@REPLAYED
def test_overflow_names_the_context_in_use(
    recording: Recording, expected: Context, replayed: Replay
) -> None:
    """The words of 0.24.0 have no number in them, so the number can only come from /api/ps."""
    with FakeOllama(recording.release) as fake:
        fake.script("/api/ps", replayed(recording))
        fake.script("/api/chat", replay(Recording.load("0.24.0", "chat-overflow-refused")))
        response = ask(gateway(fake), streaming=False)
    check_refusal(response, Refused(400, "context_length_exceeded", "messages"))
    message = response.get_json()["error"]["message"]
    if expected.tokens is None:
        assert not any(letter.isdigit() for letter in message)
    else:
        assert f"maximum context length is {expected.tokens} tokens" in message


@each(Context)
@STREAMING
def test_chat_is_answered_whatever_is_loaded(
    recording: Recording, expected: Context, streaming: bool
) -> None:
    with FakeOllama(recording.release) as fake:
        fake.script("/api/ps", replay(recording))
        response = ask(gateway(fake), streaming=streaming)
    check_answer(response, Answer("Hello", "stop", 27, 8), streaming=streaming)


@each(Told)
@REPLAYED
@STREAMING
def test_chat_heeds_what_the_model_says_of_itself(
    recording: Recording, expected: Told, replayed: Replay, streaming: bool
) -> None:
    with FakeOllama(recording.release) as fake:
        fake.script("/api/show", replayed(recording))
        if expected.chat:
            fake.script("/api/chat", replay(Recording.load(recording.release, expected.chat)))
        response = ask(gateway(fake), streaming=streaming)
        chats = fake.received("/api/chat")
    if isinstance(expected.outcome, Refused):
        check_refusal(response, expected.outcome)
        return
    check_answer(response, expected.outcome, streaming=streaming)
    assert chats[0].json["options"].get("temperature") == expected.temperature


@each(Told)
@REPLAYED
def test_model_is_listed_with_what_its_own_file_says(
    recording: Recording, expected: Told, replayed: Replay
) -> None:
    """As before 0.30, when the list itself told neither."""
    with FakeOllama("0.24.0") as fake:
        fake.script("/api/show", replayed(recording))
        model = gateway(fake).get(f"/v1/models/{MODEL}").get_json()
    told = tuple(model["capabilities"]) if "capabilities" in model else None
    assert (model.get("trained_context_length"), told) == (expected.trained, expected.capabilities)


@each(ModelList)
def test_list_of_030_tells_the_trained_context_and_the_capabilities(
    recording: Recording, expected: ModelList
) -> None:
    """Even where /api/show fails."""
    with FakeOllama(recording.release) as fake:
        fake.script("/api/tags", replay(recording))
        fake.script("/api/show", answer_json({"error": "no"}, 500))
        listed = gateway(fake).get("/v1/models").get_json()["data"]
    told = {
        model["id"]: (model["trained_context_length"], model["capabilities"])
        for model in listed
        if "capabilities" in model
    }
    assert told == expected.told


@each(NotAsked)
def test_fake_answers_what_the_gateway_never_asks(recording: Recording, expected: NotAsked) -> None:
    with FakeOllama(recording.release) as fake:
        url = f"{fake.url}{recording.path}"
        answer = requests.request(recording.method, url, json=recording.request, timeout=5)
    assert (answer.status_code, answer.content) == (recording.status, recording.body)
    assert answer.headers["Content-Type"] == dict(recording.headers)["Content-Type"]
