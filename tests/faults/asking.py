"""A client of the gateway: it asks in one form at one endpoint, and says what it got."""

from typing import Any

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.contract.messages import check_stream, events_of
from tests.contract.response_streams import check_response_stream
from tests.fake_ollama.lines import MODEL
from tests.faults.outcomes import Answered, Broken, Outcome, Refused

FORMS = ("sse", "ndjson", "whole")
_BODIES: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "hi"}]},
    "completions": {"prompt": "hi"},
    "embeddings": {"input": "hi"},
    "messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100},
    "responses": {"input": "hi"},
}
_PATHS = {"chat": "/v1/chat/completions"}
_DONE = "[DONE]"


def ask(client: FlaskClient, endpoint: str, form: str) -> Outcome:
    """Ask, read to the end, and return what came.

    AssertionError when a stream has no terminal state, or more than one.
    """
    body = {"model": MODEL, **_BODIES[endpoint]}
    if form != "whole":
        body["stream"] = True
    accept = "application/x-ndjson" if form == "ndjson" else "*/*"
    path = _PATHS.get(endpoint, f"/v1/{endpoint}")
    with client.post(path, json=body, headers={"Accept": accept}) as response:
        data = response.get_data()
    if response.status_code != 200:
        return _refused(response)
    if form == "whole":
        return Answered(_text_of(orjson.loads(data)))
    if endpoint == "messages":
        return _streamed_message(data)
    if endpoint == "responses":
        return _responded(check_response_stream(data, ndjson=form == "ndjson"))
    return _streamed(_ndjson(data) if form == "ndjson" else _sse(data), sse=form == "sse")


def _refused(response: TestResponse) -> Refused:
    return Refused(response.status_code, response.json["error"]["code"])  # type: ignore[index]


def _text_of(answer: dict[str, Any]) -> str:
    if answer.get("type") == "message":
        return "".join(block["text"] for block in answer["content"])
    if "output" in answer:
        return _said(answer)
    if "choices" not in answer:
        return str(answer["data"][0]["embedding"])
    choice = answer["choices"][0]
    return str(choice["message"]["content"] if "message" in choice else choice["text"])


def _sse(data: bytes) -> list[Any]:
    *events, rest = data.split(b"\n\n")
    assert rest == b"", f"a stream ends within an event: {rest!r}"
    told = [event.removeprefix(b"data: ") for event in events]
    return [_DONE if one == _DONE.encode() else orjson.loads(one) for one in told]


def _responded(events: list[dict[str, Any]]) -> Answered | Broken:
    response = events[-1]["response"]
    deltas = [event["delta"] for event in events if "delta" in event]
    assert "".join(deltas) == _said(response)
    if response["status"] == "failed":
        return Broken(_said(response), response["error"]["code"])
    assert response["status"] == "completed"
    return Answered(_said(response))


def _said(response: dict[str, Any]) -> str:
    return "".join(item["content"][0]["text"] for item in response["output"])


def _ndjson(data: bytes) -> list[Any]:
    *lines, rest = data.split(b"\n")
    assert rest == b"", f"a stream ends within a line: {rest!r}"
    return [orjson.loads(line) for line in lines]


def _streamed(events: list[Any], *, sse: bool) -> Answered | Broken:
    chunks = [e for e in events if e != _DONE and "error" not in e]
    errors = [e["error"]["code"] for e in events if e != _DONE and "error" in e]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    text = "".join(c.get("text") or c.get("delta", {}).get("content") or "" for c in choices)
    finished = [c["finish_reason"] for c in choices if c["finish_reason"]]
    if errors:
        assert (len(errors), finished, events.count(_DONE)) == (1, [], 0)
        assert events[-1]["error"]["code"] == errors[0]
        return Broken(text, errors[0])
    assert (finished, events.count(_DONE)) == (["stop"], int(sse))
    assert events[-1] == (_DONE if sse else chunks[-1])
    return Answered(text)


def _streamed_message(data: bytes) -> Answered | Broken:
    """`check_stream` proves that the stream has one end, behind which nothing comes."""
    check_stream(data)
    events = events_of(data)
    text = "".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta")
    last = events[-1]
    return Broken(text, last["error"]["code"]) if last["type"] == "error" else Answered(text)
