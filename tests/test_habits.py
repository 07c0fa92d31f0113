"""Requests as well-known clients really send them, each a file of `tests/habits`.

A case has `client`, `what`, `source` (where the shape was read), `request` (`method`, `path`,
`headers`, `json`) and `expect`. It may have `settings` (variables of the service), and
`engine_says`: the engine's answer (`content`, `thinking`, `tool_calls`, `done_reason`) in place of
"Hello", or its refusal (`status`, `error`).

What `expect` may say; all but `status` may be absent, and is then not looked at:

| key | meaning |
| --- | --- |
| `status` | the status of the answer |
| `code`, `param` | of the error envelope; the place that `param` names may also lie below |
| `ignored` | names that X-Tensoria-Ignored tells, or tells what lies below (`tools[1]`); [] none |
| `adjusted` | the same of X-Tensoria-Adjusted |
| `stream` | whether the answer is an event stream, which then ends in `[DONE]` |
| `model` | the name that the answer tells |
| `finish_reason` | of the first choice, one in a stream; of a response its status |
| `message` | part of the first choice: `content`, `tool_calls`, `reasoning_content`, or `text` |
| `usage` | whether the answer tells the tokens |
| `engine` | part of the last body that the engine was sent for it |
| `engine_lacks` | names that this body must not have; a dot goes one level down |
| `vectors` | `float` or `base64`: one vector for each input, in order, written so |
| `models` | ids that the list of models has |

"Part" means: an object has these members at least, a list has as many items, each of them a part.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.contract.embeddings import numbers
from tests.contract.response_streams import check_response_stream
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    done_line,
    embedding,
    generate_done_line,
    generate_line,
    model_entry,
)

Case = dict[str, Any]
CASES = {
    file.stem: json.loads(file.read_bytes())
    for file in sorted(Path(__file__).with_name("habits").glob("*.json"))
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
# What is installed in front of every client, and what each of them can do.
MODELS = {
    "qwen3:8b": ("completion", "tools", "thinking"),
    "llama3.2:3b": ("completion", "tools"),
    "mistral:latest": ("completion", "tools"),
    "gemma3:4b": ("completion", "vision"),
    "qwen2.5vl:7b": ("completion", "vision", "tools"),
    "qwen2.5-coder:1.5b": ("completion", "insert"),
    "smollm2:135m": ("completion",),
    "nomic-embed-text:latest": ("embedding",),
}
ENGINE_PATHS = {
    "/v1/chat/completions": "/api/chat",
    "/v1/completions": "/api/generate",
    "/v1/embeddings": "/api/embed",
    "/v1/responses": "/api/chat",
}
# "owner/repository path", with "@ commit" where it is known, or a thread on GitHub.
_SOURCE = re.compile(
    r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+"
    r"|[\w.-]+/[\w.-]+ [^ ]+\.[a-z]+( @ [0-9a-f]{7,40})?"
)
_KEYS = {
    *("status", "code", "param", "ignored", "adjusted", "stream", "model", "finish_reason"),
    *("message", "usage", "engine", "engine_lacks", "vectors", "models"),
}
_NAMED_BY_THE_ISSUE = ("Open WebUI", "Continue", "Cline", "n8n", "Home Assistant", "Cursor")


@EACH
def test_a_request_as_the_client_sends_it(
    fake: FakeOllama, make_app: Callable[..., Flask], case: Case
) -> None:
    _prepare(fake, case.get("engine_says", {"content": "Hello"}))
    asked, expect = case["request"], case["expect"]
    response = (
        make_app(**case.get("settings", {}))
        .test_client()
        .open(asked["path"], method=asked["method"], headers=asked["headers"], json=asked["json"])
    )
    # The contract's judgement of a stream comes with its last byte.
    response.get_data()
    response.close()

    assert response.status_code == expect["status"], response.get_data(as_text=True)
    _check_notices(response, expect)
    _check_answer(response, asked, expect)
    _check_engine(fake, asked, expect)


def test_each_case_names_its_client_its_source_and_what_it_expects() -> None:
    for name, case in CASES.items():
        client = re.sub(r"\W+", "-", case["client"].lower())
        assert name.startswith(f"{client}-"), name
        assert case["what"], name
        assert all(_SOURCE.fullmatch(place) for place in case["source"].split(", ")), name
        assert set(case["request"]) == {"method", "path", "headers", "json"}, name
        assert case["expect"].keys() <= _KEYS, name
        assert case["expect"]["status"] not in range(400, 500) or "param" in case["expect"], name


@pytest.mark.parametrize("client", _NAMED_BY_THE_ISSUE)
def test_the_clients_that_users_bring_first_have_several_shapes(client: str) -> None:
    assert Counter(case["client"] for case in CASES.values())[client] >= 3


def _prepare(fake: FakeOllama, says: dict[str, Any]) -> None:
    """Install the models, and let the engine say this on each of its paths."""
    fake.models = [model_entry(name, capabilities=able) for name, able in MODELS.items()]
    if "error" in says:
        for path in ENGINE_PATHS.values():
            fake.script(path, answer_json({"error": says["error"]}, says["status"]))
        return
    text, reason = says.get("content", ""), says.get("done_reason", "stop")
    message = {key: says[key] for key in ("thinking", "tool_calls") if key in says}
    half = len(text) // 2
    fake.chat_lines = [
        *([chat_line("", **message)] if message else []),
        *(chat_line(part) for part in (text[:half], text[half:]) if part),
        done_line(reason),
    ]
    fake.generate_lines = [
        *(generate_line(part) for part in (text[:half], text[half:]) if part),
        generate_done_line(reason),
    ]


def _check_notices(response: TestResponse, expect: dict[str, Any]) -> None:
    for key, header in (("ignored", "X-Tensoria-Ignored"), ("adjusted", "X-Tensoria-Adjusted")):
        if key not in expect:
            continue
        told = response.headers.get(header)
        if not expect[key]:
            assert told is None, f"{header}: {told}"
        names = [] if told is None else [entry.partition("=")[0] for entry in told.split(",")]
        for name in expect[key]:
            assert any(_is_at_or_below(found, name) for found in names), f"{name} not in {told}"


def _is_at_or_below(found: str, place: str) -> bool:
    return found == place or found.startswith((f"{place}.", f"{place}["))


def _check_answer(response: TestResponse, asked: dict[str, Any], expect: dict[str, Any]) -> None:
    if "stream" in expect:
        mimetype = "text/event-stream" if expect["stream"] else "application/json"
        assert response.mimetype == mimetype
    if expect["status"] >= 400:
        error = response.get_json()["error"]
        param, place = error["param"], expect.get("param", error["param"])
        assert param == place or _is_at_or_below(param, place), param
        assert error["code"] == expect.get("code", error["code"])
    elif "vectors" in expect:
        _check_vectors(response.get_json(), asked["json"]["input"], expect["vectors"])
    elif "models" in expect:
        assert set(expect["models"]) <= {model["id"] for model in response.get_json()["data"]}
    else:
        answer = _streamed(response) if expect["stream"] else _whole(response.get_json())
        for key in answer.keys() & expect.keys():
            _check_part(answer[key], expect[key], key)


def _whole(body: dict[str, Any]) -> dict[str, Any]:
    """Take from a whole answer what a case may expect of it."""
    if body["object"] == "response":
        return _responded(body)
    choice = body["choices"][0]
    message = choice.get("message") or {"text": choice["text"]}
    usage = bool(body.get("usage"))
    reason = choice["finish_reason"]
    return {"model": body["model"], "finish_reason": reason, "message": message, "usage": usage}


def _streamed(response: TestResponse) -> dict[str, Any]:
    """Put a stream together as clients do; it has just one finish chunk and `[DONE]`."""
    if response.text.startswith("event: response."):
        return _responded(check_response_stream(response.data)[-1]["response"])
    events = [part.removeprefix("data: ") for part in response.text.split("\n\n") if part]
    assert events[-1] == "[DONE]", events[-1]
    chunks = [json.loads(event) for event in events[:-1]]
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == 0]
    (reason,) = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    deltas = [choice.get("delta", choice) for choice in choices]
    message: dict[str, Any] = {
        key: "".join(delta.get(key) or "" for delta in deltas)
        for key in ("content", "reasoning_content", "text")
    }
    message["tool_calls"] = _calls(deltas)
    usage = any(chunk.get("usage") for chunk in chunks)
    model = chunks[0]["model"]
    return {"model": model, "finish_reason": reason, "message": message, "usage": usage}


def _responded(response: dict[str, Any]) -> dict[str, Any]:
    """Take from a response what a case may expect of it, under the names of a chat."""
    items = response["output"]
    parts = [
        (item["type"], part["text"])
        for item in items
        for part in (item.get("content") or item.get("summary") or ())
    ]
    message = {
        "content": "".join(text for type_, text in parts if type_ == "message"),
        "reasoning_content": "".join(text for type_, text in parts if type_ == "reasoning"),
        "tool_calls": [{"function": item} for item in items if item["type"] == "function_call"],
    }
    usage = bool(response["usage"])
    reason = response["status"]
    return {"model": response["model"], "finish_reason": reason, "message": message, "usage": usage}


def _calls(deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the pieces of streamed tool calls by their index."""
    calls: dict[int, dict[str, Any]] = {}
    for piece in (piece for delta in deltas for piece in delta.get("tool_calls") or ()):
        call = calls.setdefault(piece["index"], {"function": {"name": "", "arguments": ""}})
        call.update((key, piece[key]) for key in ("id", "type") if piece.get(key))
        for key, text in piece.get("function", {}).items():
            call["function"][key] += text or ""
    assert sorted(calls) == list(range(len(calls)))
    return [calls[index] for index in sorted(calls)]


def _check_vectors(body: dict[str, Any], asked: str | list[str], form: str) -> None:
    texts = [asked] if isinstance(asked, str) else asked
    vectors = [entry["embedding"] for entry in body["data"]]
    assert {type(vector) for vector in vectors} == {str if form == "base64" else list}
    read = [numbers(vector) if isinstance(vector, str) else vector for vector in vectors]
    assert read == [embedding(text) for text in texts]
    assert [entry["index"] for entry in body["data"]] == list(range(len(texts)))


def _check_engine(fake: FakeOllama, asked: dict[str, Any], expect: dict[str, Any]) -> None:
    path = ENGINE_PATHS.get(asked["path"].partition("?")[0])
    if path is None or not {"engine", "engine_lacks"} & expect.keys():
        return
    body = fake.received(path)[-1].json
    _check_part(body, expect.get("engine", {}), "engine")
    for name in expect.get("engine_lacks", ()):
        *parents, last = name.split(".")
        place = body
        for parent in parents:
            place = place.get(parent, {})
        assert last not in place, name


def _check_part(found: Any, part: Any, place: str) -> None:
    """Raise AssertionError, naming the place, unless `part` is a part of what was found."""
    if isinstance(part, dict) and isinstance(found, dict):
        for key, value in part.items():
            assert key in found, f"{place}.{key} is absent"
            _check_part(found[key], value, f"{place}.{key}")
    elif isinstance(part, list) and isinstance(found, list):
        assert len(found) == len(part), f"{place}: {found}"
        for index, (item, value) in enumerate(zip(found, part, strict=True)):
            _check_part(item, value, f"{place}[{index}]")
    else:
        same = found == part and isinstance(found, bool) == isinstance(part, bool)
        assert same, f"{place}: {found!r}"
