"""Requests of the shapes that Claude Code sends, through the whole service.

Many tools, a long history with calls side by side, `cache_control` everywhere, betas in the query
and in the headers, small requests beside the large ones.
"""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.contract.messages import events_of
from tests.fake_ollama import FakeOllama, chat_line, done_line, model_entry, stream

MODEL = "qwen3-coder:latest"
CACHED = {"cache_control": {"type": "ephemeral"}}
HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    "x-app": "cli",
}
USER = '{"device_id":"d","account_uuid":"","session_id":"s"}'
TOOLS: list[dict[str, Any]] = [
    {
        "name": f"mcp__a_server_with_a_long_name__and_a_tool_with_a_longer_one_{number}",
        "description": "Does something. " * 40,
        "input_schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Where."},
                "more": {"type": "object", "propertyNames": {"type": "string"}},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    }
    for number in range(120)
]
NAME = TOOLS[0]["name"]


def turn(number: int) -> list[dict[str, Any]]:
    """Return two calls side by side and their results, of which one failed."""
    ids = [f"toolu_{number}_{place}" for place in (0, 1)]
    calls = [{"type": "tool_use", "id": id_, "name": NAME, "input": {"path": "a"}} for id_ in ids]
    thought = {"type": "thinking", "thinking": "Look.", "signature": "EqQBCkYIBxgC"}
    results = [
        {"type": "tool_result", "tool_use_id": ids[0], "content": "text of a file"},
        {
            "type": "tool_result",
            "tool_use_id": ids[1],
            "content": [{"type": "text", "text": "no such file"}],
            "is_error": True,
            **CACHED,
        },
    ]
    reminder = {"type": "text", "text": "<system-reminder>Be careful.</system-reminder>"}
    said = [thought, {"type": "text", "text": "I look."}, *calls]
    return [
        {"role": "assistant", "content": said},
        {"role": "user", "content": [*results, reminder]},
    ]


LARGE: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 32000,
    "system": [
        {"type": "text", "text": "x-billing-header: none"},
        {"type": "text", "text": "You write code. " * 500, **CACHED},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Fix it.", **CACHED}]},
        *(message for number in range(40) for message in turn(number)),
    ],
    "tools": [*TOOLS, {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
    "thinking": {"type": "enabled", "budget_tokens": 31999},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "medium"},
    "metadata": {"user_id": USER},
    "temperature": 1,
    "stream": True,
}


@pytest.fixture
def engine(fake: FakeOllama) -> FakeOllama:
    fake.models = [model_entry(MODEL, capabilities=("completion", "tools", "thinking"))]
    return fake


def post(client: FlaskClient, body: dict[str, Any], path: str = "/v1/messages") -> TestResponse:
    response = client.post(f"{path}?beta=true", json=body, headers=HEADERS)
    response.get_data()
    return response


def test_a_long_turn_with_many_tools_passes(engine: FakeOllama, client: FlaskClient) -> None:
    calls = [{"function": {"name": NAME, "arguments": {"path": p}}} for p in ("a", "b")]
    engine.script(
        "/api/chat",
        stream([chat_line("", thinking="Hm."), chat_line("", tool_calls=calls), done_line()]),
    )
    response = post(client, LARGE)
    (sent,) = engine.received("/api/chat")
    events = events_of(response.get_data())

    assert response.status_code == 200
    assert set(response.headers["X-Tensoria-Ignored"].split(",")) == {
        "context_management",
        "messages.content.cache_control",
        "metadata",
        "system.cache_control",
        "thinking.budget_tokens",
        "tools[120]",
    }
    assert len(sent.json["tools"]) == 120
    # System, question, and for each turn the calls, two results and a reminder.
    assert len(sent.json["messages"]) == 2 + 40 * 4
    assert sent.json["messages"][4] == {
        "role": "tool",
        "content": "Error: no such file",
        "tool_name": NAME,
        "tool_call_id": "toolu_0_1",
    }
    blocks = [each["content_block"]["type"] for each in events if "content_block" in each]
    assert blocks == ["thinking", "tool_use", "tool_use"]


def test_its_tokens_are_counted(engine: FakeOllama, client: FlaskClient) -> None:
    asked = {name: LARGE[name] for name in ("model", "messages", "system", "tools", "thinking")}
    response = post(client, asked, "/v1/messages/count_tokens")

    assert response.status_code == 200
    assert response.get_json()["input_tokens"] > 20_000


def test_a_probe_of_one_token_passes(engine: FakeOllama, client: FlaskClient) -> None:
    body = {
        "model": MODEL,
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "quota"}],
        "metadata": {"user_id": USER},
    }
    response = post(client, body)

    assert response.status_code == 200
    assert response.get_json()["usage"]["input_tokens"] > 0


def test_an_answer_that_is_begun_goes_to_the_engine_as_it_is(
    engine: FakeOllama, client: FlaskClient
) -> None:
    begun = {"role": "assistant", "content": "{"}
    body = {
        "model": MODEL,
        "max_tokens": 512,
        "system": [{"type": "text", "text": "Is this a new topic?"}],
        "messages": [{"role": "user", "content": "Hi"}, begun],
        "temperature": 0,
    }
    post(client, body)
    (sent,) = engine.received("/api/chat")

    assert sent.json["messages"][-1] == begun


def test_an_interrupted_turn_passes(engine: FakeOllama, client: FlaskClient) -> None:
    """Two turns of the user in a row, an empty one, and a result whose call has been cut off."""
    body = {
        "model": MODEL,
        "max_tokens": 512,
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "user", "content": []},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_gone", "content": None},
                    {"type": "text", "text": "[Request interrupted by user]"},
                ],
            },
        ],
    }
    response = post(client, body)

    assert response.status_code == 200
    assert response.headers["X-Tensoria-Ignored"] == "messages.content.tool_use_id"
