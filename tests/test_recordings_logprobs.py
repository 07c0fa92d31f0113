"""Recordings with log probabilities, against what a person expects of both endpoints."""

from itertools import accumulate
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.expectations import Judged, Refused
from tests.expectations.checks import (
    MODEL,
    REPLAYED,
    STREAMING,
    Replay,
    check_refusal,
    check_stream,
    check_text,
    check_usage,
    each,
    events,
    gateway,
)
from tests.fake_ollama import FakeOllama, Recording

ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "/api/chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Say hi."}]}),
    "/api/generate": ("/v1/completions", {"prompt": "The sky is"}),
}


def ask(client: FlaskClient, engine: str, asked: dict[str, Any], streaming: bool) -> TestResponse:
    """Ask for log probabilities; the answer is read to its end and closed."""
    path, fields = ASKED[engine]
    body = {"model": MODEL, **fields, **asked}
    if streaming:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    response = client.post(path, json=body)
    response.get_data()
    response.close()
    return response


@each(Judged)
@REPLAYED
@STREAMING
def test_log_probabilities_are_told(
    recording: Recording, expected: Judged, replayed: Replay, streaming: bool
) -> None:
    with FakeOllama(recording.release) as fake:
        fake.script(recording.path, replayed(recording))
        response = ask(gateway(fake), recording.path, expected.asked, streaming)
        asked = [each.json for each in fake.received(recording.path)]
    if isinstance(expected.outcome, Refused):
        check_refusal(response, expected.outcome)
        assert asked == []
        return
    assert [up["logprobs"] for up in asked] == [True]
    choices, usage = of_stream(response, expected) if streaming else of_whole(response)
    check_usage(usage, expected.outcome)
    if recording.path == "/api/chat":
        check_chat(choices, expected)
    else:
        check_completion(choices, expected)


def of_whole(response: TestResponse) -> tuple[list[Any], Any]:
    body: Any = response.get_json()
    return body["choices"], body["usage"]


def of_stream(response: TestResponse, expected: Judged) -> tuple[list[Any], Any]:
    *chunks, usage, done = events(response)
    assert done == "[DONE]"
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    if "delta" in choices[0]:
        assert not isinstance(expected.outcome, Refused)
        check_stream(events(response), expected.outcome)
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
    return choices, usage["usage"]


def check_chat(choices: list[Any], expected: Judged) -> None:
    """What is told of a token is OpenAI's; the tokens' bytes are the text."""
    assert not isinstance(expected.outcome, Refused)
    told = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    assert {each["refusal"] for each in told} == {None}
    tokens = [token for each in told for token in each["content"]]
    assert tuple(
        (
            token["token"],
            token["logprob"],
            {other["token"]: other["logprob"] for other in token["top_logprobs"]},
        )
        for token in tokens
    ) == (expected.tokens)
    check_text(bytes(byte for t in tokens for byte in t["bytes"]).decode(), expected.outcome.text)


def check_completion(choices: list[Any], expected: Judged) -> None:
    """The older form: lists of one length, and where each token begins in the text."""
    assert not isinstance(expected.outcome, Refused)
    check_text("".join(choice["text"] for choice in choices), expected.outcome.text)
    told = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    found = [
        row
        for each in told
        for row in zip(
            each["tokens"],
            each["token_logprobs"],
            each["top_logprobs"],
            each["text_offset"],
            strict=True,
        )
    ]
    assert tuple(row[:3] for row in found) == expected.tokens
    starts = accumulate((len(token[0]) for token in expected.tokens), initial=0)
    assert [row[3] for row in found] == list(starts)[:-1]
