"""Every recording of a chat in a form, replayed to a client that asks for the same."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.expectations import Formed
from tests.expectations.checks import (
    MODEL,
    REPLAYED,
    STREAMING,
    Replay,
    check_answer,
    each,
    gateway,
)
from tests.fake_ollama import FakeOllama, Recording


def ask(fake: FakeOllama, form: Any, *, streaming: bool, retry: str) -> TestResponse:
    """Ask for what was recorded as Ollama's `format`, in OpenAI's words."""
    body: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": form}},
    }
    if form == "json":
        body["response_format"] = {"type": "json_object"}
    if streaming:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    client = gateway(fake, STRUCTURED_RETRY=retry)
    response = client.post("/v1/chat/completions", json=body)
    response.get_data()
    response.close()
    return response


@each(Formed)
@REPLAYED
@STREAMING
@pytest.mark.parametrize("retry", ["0", "1"])
def test_answer_in_its_form_is_answered(
    recording: Recording, expected: Formed, replayed: Replay, streaming: bool, retry: str
) -> None:
    form = recording.request["format"]
    with FakeOllama(recording.release) as fake:
        fake.script("/api/chat", replayed(recording))
        response = ask(fake, form, streaming=streaming, retry=retry)
        (asked,) = fake.received("/api/chat")
    check_answer(response, expected.answer, streaming=streaming)
    assert asked.json["format"] == form
