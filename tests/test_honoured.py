"""The table of support against what happens: every field, endpoint and kind of engine.

What the table calls honoured, emulated or approximated is shown to reach the engine (`Sent`: where
it stands in the body that goes up) or to change the answer (`Seen`), and to do neither when it is
left out. What it calls ignored is named on the answer, what it calls refused is a 400. A field
without a row fails, and so does a row that the table has no use for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tensoria.memory import conversations, responses
from tensoria.memory.conversations import Conversation
from tensoria.memory.store import Memory
from tensoria.schemas.endpoints import ENDPOINTS
from tensoria.schemas.support import table
from tests.backends.fake_openai import DONE, delta, event, speak_openai, usage
from tests.backends.fake_openai import events as sse
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    done_line,
    generate_done_line,
    generate_line,
    model_entry,
    stream,
)

CHAT, TEXT, EMBED = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
MESSAGES, COUNT = "/v1/messages", "/v1/messages/count_tokens"
RESPONSES = "/v1/responses"
OLLAMA_PATHS = {
    CHAT: "/api/chat",
    TEXT: "/api/generate",
    EMBED: "/api/embed",
    MESSAGES: "/api/chat",
    COUNT: "/api/chat",
    RESPONSES: "/api/chat",
}
# Where another engine has another path than ours.
OPENAI_PATHS = {MESSAGES: CHAT, COUNT: "/apply-template", RESPONSES: CHAT}
KINDS = ("ollama", "llamacpp", "openai")
CAPABLE = ("completion", "tools", "thinking", "vision", "insert", "embedding")

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
FLAT_TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
OF_CHATS_ALONE = frozenset({"logit_bias", "max_completion_tokens", "max_tokens", "n"})
NAMED = {"type": "function", "function": {"name": "f"}}
CALL = '{"name": "f", "arguments": {}}'
BASE: dict[str, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    TEXT: {"model": "m", "prompt": "Hi"},
    EMBED: {"model": "e", "input": "Hi"},
    MESSAGES: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    COUNT: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    RESPONSES: {"model": "m", "input": "Hi"},
}


@dataclass(frozen=True)
class Sent:
    """Where in the body that goes up the field shows, and as what."""

    where: str
    value: Any


@dataclass(frozen=True)
class Seen:
    """What the answer is like, as the client gets it: one object, or the events of a stream."""

    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Row:
    """A field as it is sent (`beside` it what it needs), and its proof by kind of engine."""

    value: Any
    ollama: Sent | Seen | None = None
    llamacpp: Sent | Seen | None = None
    openai: Sent | Seen | None = None
    beside: dict[str, Any] | None = None
    says: str = CALL


def alike(value: Any, theirs: Sent | Seen, ours: Sent | Seen, **more: Any) -> Row:
    """Return a row of a field that both engines that speak OpenAI get alike."""
    return Row(value, ollama=theirs, llamacpp=ours, openai=ours, **more)


def everywhere(value: Any, proof: Sent | Seen, **more: Any) -> Row:
    """Return a row with one proof for all."""
    return alike(value, proof, proof, **more)


def option(name: str, value: Any) -> Row:
    """Return a row of a field that has one name, under `options` at Ollama."""
    return alike(value, Sent(f"options.{name}", value), Sent(name, value))


def limit() -> Row:
    return alike(7, Sent("options.num_predict", 7), Sent("max_tokens", 7))


def has_usage(events: list[Any]) -> bool:
    return any(each != "[DONE]" and bool(each.get("usage")) for each in events)


def is_over(event: Any) -> bool:
    return isinstance(event, dict) and event.get("type") == "response.completed"


# Of two answers the second index is told; of one there is none.
TWO = Seen(lambda answer: [choice["index"] for choice in answer["choices"]] == [0, 1])
ONE_CALL_ITEM = Seen(
    lambda answer: [item["type"] for item in answer["output"]] == ["function_call"]
)
ONE_CALL = Seen(lambda answer: len(answer["choices"][0]["message"]["tool_calls"]) == 1)

SAMPLING = {
    "temperature": option("temperature", 0.25),
    "top_p": option("top_p", 0.5),
    "max_tokens": limit(),
    "max_completion_tokens": limit(),
    "stop": alike("END", Sent("options.stop", ["END"]), Sent("stop", ["END"])),
    "seed": option("seed", 5),
    "presence_penalty": option("presence_penalty", 0.5),
    "frequency_penalty": option("frequency_penalty", 0.5),
    "top_k": option("top_k", 9),
    "min_p": option("min_p", 0.1),
    "repeat_penalty": Row(
        1.5,
        ollama=Sent("options.repeat_penalty", 1.5),
        llamacpp=Sent("repeat_penalty", 1.5),
        openai=Sent("repetition_penalty", 1.5),
    ),
    "options": alike({"top_k": 9}, Sent("options.top_k", 9), Sent("top_k", 9)),
    "logit_bias": Row(
        {"7": 1}, llamacpp=Sent("logit_bias", {"7": 1}), openai=Sent("logit_bias", {"7": 1})
    ),
    "n": everywhere(2, TWO),
}
COMMON = {
    "model": alike("other", Sent("model", "other:latest"), Sent("model", "other")),
    "keep_alive": Row("7m", ollama=Sent("keep_alive", "7m")),
    "user": Row("u"),
}
STREAMS = {
    "stream": everywhere(True, Seen(lambda told: isinstance(told, list) and told[-1] == "[DONE]")),
    "stream_options": everywhere({"include_usage": True}, Seen(has_usage), beside={"stream": True}),
}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
ANY_OBJECT = {"type": "json_schema", "schema": {"type": "object"}}
THINKS = {"thinking": {"type": "adaptive"}}
LONG = "x" * 400
# "Hi" and what stands around it are five tokens.
MORE = Seen(lambda told: told["input_tokens"] > 10)
FEWER = Seen(lambda told: told["input_tokens"] == 5)


def counted(value: Any, llamacpp: Sent, estimated: Seen = MORE, **more: Any) -> Row:
    """Return a row of a count: llama.cpp is sent what the others are estimated by."""
    return Row(value, ollama=estimated, llamacpp=llamacpp, openai=estimated, **more)


OF_BOTH_MESSAGES = {
    "billing_policy": Row({"a": 1}),
    "cache_control": Row({"type": "ephemeral"}),
    "compaction": Row({"a": 1}),
    "context_management": Row({"edits": [{"type": "clear_tool_uses_20250919"}]}),
    "mcp_servers": Row([{"type": "url", "name": "n", "url": "http://x"}]),
    "speed": Row("fast"),
    "user_profile_id": Row("p"),
    "workspace_id": Row("w"),
}
THINKING = {
    "reasoning_effort": Row(
        "low",
        ollama=Sent("think", "low"),
        llamacpp=Sent("chat_template_kwargs.reasoning_effort", "low"),
        openai=Sent("reasoning_effort", "low"),
    ),
    "reasoning": Row(
        {"effort": "low"},
        ollama=Sent("think", "low"),
        llamacpp=Sent("chat_template_kwargs.reasoning_effort", "low"),
        openai=Sent("reasoning_effort", "low"),
    ),
    "think": Row(
        "low",
        ollama=Sent("think", "low"),
        llamacpp=Sent("chat_template_kwargs.reasoning_effort", "low"),
        openai=Sent("reasoning_effort", "low"),
    ),
    "enable_thinking": alike(
        False, Sent("think", False), Sent("chat_template_kwargs.enable_thinking", False)
    ),
    "chat_template_kwargs": alike(
        {"enable_thinking": False},
        Sent("think", False),
        Sent("chat_template_kwargs.enable_thinking", False),
    ),
}
ROWS: dict[str, dict[str, Row]] = {
    MESSAGES: {
        **OF_BOTH_MESSAGES,
        "model": COMMON["model"],
        "keep_alive": COMMON["keep_alive"],
        **{
            name: SAMPLING[name]
            for name in ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "seed")
        },
        "max_tokens": limit(),
        "messages": everywhere(
            [{"role": "user", "content": [{"type": "text", "text": "Marker"}]}],
            Sent("messages.0.content", "Marker"),
        ),
        "system": everywhere("Marker", Sent("messages.0.content", "Marker")),
        "stream": everywhere(
            True,
            Seen(lambda told: isinstance(told, list) and told[-1]["type"] == "message_stop"),
        ),
        "stop_sequences": alike(["END"], Sent("options.stop", ["END"]), Sent("stop", ["END"])),
        "tools": everywhere([TOOL], Sent("tools.0.function.name", "f")),
        "tool_choice": Row(
            {"type": "tool", "name": "f"},
            ollama=Sent("format.properties.name.const", "f"),
            llamacpp=Sent("response_format.json_schema.schema.properties.name.const", "f"),
            openai=Sent("tool_choice", NAMED),
            beside={"tools": [TOOL]},
        ),
        "thinking": alike(
            THINKS["thinking"],
            Sent("think", True),
            Sent("chat_template_kwargs.enable_thinking", True),
        ),
        "output_config": Row(
            {"effort": "low"},
            ollama=Sent("think", "low"),
            llamacpp=Sent("chat_template_kwargs.reasoning_effort", "low"),
            openai=Sent("reasoning_effort", "low"),
            beside=THINKS,
        ),
        "output_format": alike(
            ANY_OBJECT,
            Sent("format", {"type": "object"}),
            Sent("response_format.json_schema.schema", {"type": "object"}),
        ),
        "metadata": Row({"user_id": "u"}),
        "service_tier": Row("batch"),
        "container": Row("c"),
        "diagnostics": Row({"previous_message_id": "m"}),
        "fallback_credit_token": Row("t"),
        "fallbacks": Row([{"model": "m"}]),
        "inference_geo": Row("eu"),
        "thread": Row({"id": "t"}),
    },
    COUNT: {
        **OF_BOTH_MESSAGES,
        "model": Row("other", llamacpp=Sent("model", "other")),
        "messages": counted([{"role": "user", "content": LONG}], Sent("messages.0.content", LONG)),
        "system": counted(LONG, Sent("messages.0.content", LONG)),
        "tools": counted([TOOL], Sent("tools.0.function.name", "f")),
        "tool_choice": counted(
            {"type": "none"}, Sent("tools", None), FEWER, beside={"tools": [TOOL]}
        ),
        "thinking": Row(
            THINKS["thinking"], llamacpp=Sent("chat_template_kwargs.enable_thinking", True)
        ),
        "output_config": Row(
            {"effort": "low"},
            llamacpp=Sent("chat_template_kwargs.reasoning_effort", "low"),
            beside=THINKS,
        ),
        "output_format": Row(ANY_OBJECT),
    },
    CHAT: {
        **COMMON,
        **SAMPLING,
        **STREAMS,
        "messages": everywhere(
            [{"role": "user", "content": "Marker"}], Sent("messages.0.content", "Marker")
        ),
        "response_format": alike(
            {"type": "json_object"},
            Sent("format", "json"),
            Sent("response_format", {"type": "json_object"}),
        ),
        "tools": everywhere(TOOLS, Sent("tools.0.function.name", "f")),
        "tool_choice": Row(
            NAMED,
            ollama=Sent("format.properties.name.const", "f"),
            llamacpp=Sent("response_format.json_schema.schema.properties.name.const", "f"),
            openai=Sent("tool_choice", NAMED),
            beside={"tools": TOOLS},
        ),
        "parallel_tool_calls": Row(
            False,
            ollama=ONE_CALL,
            llamacpp=ONE_CALL,
            openai=Sent("parallel_tool_calls", False),
            beside={"tools": TOOLS},
            says=f"[{CALL}, {CALL}]",
        ),
        "logprobs": everywhere(True, Sent("logprobs", True)),
        "top_logprobs": everywhere(3, Sent("top_logprobs", 3), beside={"logprobs": True}),
        **THINKING,
        "metadata": Row({"a": "b"}),
        "moderation": Row({"model": "x"}),
        "prediction": Row({"type": "content", "content": "x"}),
        "prompt_cache_key": Row("k"),
        "prompt_cache_options": Row({"a": 1}),
        "prompt_cache_retention": Row("24h"),
        "safety_identifier": Row("s"),
        "service_tier": Row("flex"),
        "store": Row(True),
        "verbosity": Row("low"),
        "web_search_options": Row({"search_context_size": "low"}),
        "audio": Row({"voice": "alloy", "format": "wav"}),
        "modalities": Row(["text", "audio"]),
        "function_call": Row({"name": "f"}),
        "functions": Row([{"name": "f"}]),
    },
    TEXT: {
        **COMMON,
        **SAMPLING,
        **STREAMS,
        "prompt": everywhere("Marker", Sent("prompt", "Marker")),
        "suffix": Row("end", ollama=Sent("suffix", "end"), openai=Sent("suffix", "end")),
        "echo": everywhere(True, Seen(lambda told: told["choices"][0]["text"].startswith("Hi"))),
        "logprobs": alike(2, Sent("top_logprobs", 2), Sent("logprobs", 2)),
        "raw": Row(False, ollama=Sent("raw", False)),
        "best_of": Row(2),
        "think": Row(True),
    },
    EMBED: {
        **COMMON,
        "input": everywhere("Marker", Sent("input", ["Marker"])),
        "dimensions": everywhere(2, Sent("dimensions", 2)),
        "encoding_format": everywhere(
            "base64", Seen(lambda told: isinstance(told["data"][0]["embedding"], str))
        ),
        "options": Row({"temperature": 1}),
    },
    RESPONSES: {
        **COMMON,
        **{name: row for name, row in SAMPLING.items() if name not in OF_CHATS_ALONE},
        "max_output_tokens": limit(),
        "stream": everywhere(True, Seen(lambda told: isinstance(told, list) and is_over(told[-1]))),
        "input": everywhere("Marker", Sent("messages.0.content", "Marker")),
        "instructions": everywhere("Marker", Sent("messages.0.content", "Marker")),
        "text": alike(
            {"format": {"type": "json_object"}},
            Sent("format", "json"),
            Sent("response_format", {"type": "json_object"}),
        ),
        "tools": everywhere(FLAT_TOOLS, Sent("tools.0.function.name", "f")),
        "tool_choice": Row(
            {"type": "function", "name": "f"},
            ollama=Sent("format.properties.name.const", "f"),
            llamacpp=Sent("response_format.json_schema.schema.properties.name.const", "f"),
            openai=Sent("tool_choice", NAMED),
            beside={"tools": FLAT_TOOLS},
        ),
        "parallel_tool_calls": Row(
            False,
            ollama=ONE_CALL_ITEM,
            llamacpp=ONE_CALL_ITEM,
            openai=Sent("parallel_tool_calls", False),
            beside={"tools": FLAT_TOOLS},
            says=f"[{CALL}, {CALL}]",
        ),
        "include": everywhere(["message.output_text.logprobs"], Sent("logprobs", True)),
        "top_logprobs": everywhere(
            3, Sent("top_logprobs", 3), beside={"include": ["message.output_text.logprobs"]}
        ),
        "metadata": everywhere({"a": "b"}, Seen(lambda told: told["metadata"] == {"a": "b"})),
        "reasoning": THINKING["reasoning"],
        "think": THINKING["think"],
        "enable_thinking": THINKING["enable_thinking"],
        "chat_template_kwargs": THINKING["chat_template_kwargs"],
        "background": everywhere(True, Seen(lambda told: told["background"] is True)),
        "conversation": everywhere("conv_1", Sent("messages.0.content", "Marker")),
        "previous_response_id": everywhere("resp_1", Sent("messages.0.content", "Marker")),
        "prompt": Row({"id": "pmpt_1"}),
        "context_management": Row([{"type": "compaction"}]),
        "max_tool_calls": Row(3),
        "moderation": Row({"model": "x"}),
        "prompt_cache_key": Row("k"),
        "prompt_cache_options": Row({"a": 1}),
        "prompt_cache_retention": Row("24h"),
        "safety_identifier": Row("s"),
        "service_tier": Row("flex"),
        "store": everywhere(False, Seen(lambda told: told["store"] is False)),
        "stream_options": Row({"include_obfuscation": True}),
        "truncation": Row("auto"),
    },
}
MARKER = {"type": "input_text", "text": "Marker"}
CASES = [
    pytest.param(kind, path, name, id=f"{kind}-{path.removeprefix('/v1/')}-{name}")
    for kind in KINDS
    for path, schema in ENDPOINTS.items()
    for name in table(schema)
    # An estimate is one for all models.
    if kind == "llamacpp" or (path, name) != (COUNT, "model")
]


@pytest.mark.parametrize(("path", "schema"), ENDPOINTS.items(), ids=list(ENDPOINTS))
def test_every_field_has_a_row_and_every_row_a_field(path: str, schema: Any) -> None:
    assert ROWS[path].keys() == table(schema).keys()


@pytest.mark.parametrize(("kind", "path", "name"), CASES)
def test_a_field_does_what_the_table_says(
    fake: FakeOllama, make_app: Callable[..., Flask], kind: str, path: str, name: str
) -> None:
    row = ROWS[path][name]
    engine = Engine(fake, make_app, kind, path, row.says)
    told = engine.client.get("/v1/compat", query_string={"model": BASE[path]["model"]}).json
    level = told["endpoints"][path][name]["support"]
    without = {**BASE[path], **(row.beside or {})}
    response = engine.ask({**without, name: row.value})
    proof = getattr(row, kind)

    if level == "refused":
        assert response.status_code == 400
        assert response.json["error"]["param"] == name
        assert proof is None
        assert engine.sent() == []
    elif level == "ignored":
        assert response.status_code == 200
        assert told_ignored(response, name)
        assert proof is None
    else:
        assert response.status_code == 200, response.text
        assert not told_ignored(response, name)
        assert shows(proof, engine, response)
        assert not shows(proof, engine, engine.ask(without))


class Engine:
    """A service in front of one kind of engine."""

    def __init__(
        self,
        fake: FakeOllama,
        make_app: Callable[..., Flask],
        kind: str,
        path: str,
        says: str,
    ) -> None:
        self._fake = fake
        self._path = path
        if kind == "ollama":
            settings: dict[str, str] = {}
            self._upstream = OLLAMA_PATHS[path]
            _speak_ollama(fake, says)
        else:
            settings = {"ENGINE": "openai", "ENGINE_BASE_URL": f"{fake.url}/v1"}
            self._upstream = OPENAI_PATHS.get(path, path)
            _speak_openai(fake, says, "llamacpp" if kind == "llamacpp" else "vllm")
        app = make_app(**settings)
        # The contract knows the answers to valid requests alone, and some here are not.
        app.test_client_class = FlaskClient
        self.client = app.test_client()
        if path == RESPONSES:
            _remember(app)

    def ask(self, body: dict[str, Any]) -> TestResponse:
        response = self.client.post(self._path, json=body)
        response.get_data()
        return response

    def sent(self) -> list[Any]:
        """Return the bodies that the engine got to run."""
        return [received.json for received in self._fake.received(self._upstream)]


def _remember(app: Flask) -> None:
    """Have a response and a conversation in which somebody said something."""
    said = [{"id": "msg_1", "type": "message", "role": "user", "content": [MARKER]}]
    kept = {"id": "resp_1", "status": "completed", "previous_response_id": None, "output": []}
    memory: Memory = app.extensions["tensoria"].memory
    memory.write(lambda db: responses.insert(db, "", kept, said, now=memory.clock()))
    made = Conversation("conv_1", memory.clock(), {})
    memory.write(lambda db: conversations.insert(db, "", made, said))


def shows(proof: Sent | Seen | None, engine: Engine, response: TestResponse) -> bool:
    assert proof is not None, "the table says that it has an effect: which?"
    if isinstance(proof, Sent):
        return found_at(engine.sent()[-1], proof.where) == proof.value
    if response.mimetype != "text/event-stream":
        return proof.holds(response.json)
    # Events of a response have a line with their name before the data.
    data = [block.rpartition("data: ")[2] for block in response.text.split("\n\n") if block]
    return proof.holds([each if each == "[DONE]" else orjson.loads(each) for each in data])


def found_at(body: Any, where: str) -> Any:
    """Follow a path of names and numbers; None where it ends."""
    for step in where.split("."):
        if isinstance(body, list):
            body = body[int(step)]
        else:
            body = body.get(step) if isinstance(body, dict) else None
    return body


def told_ignored(response: TestResponse, name: str) -> bool:
    """Tell whether the field is named, or a member of it."""
    names = response.headers.get("X-Tensoria-Ignored", "").split(",")
    return any(each == name or each.startswith(f"{name}.") for each in names)


def _speak_ollama(fake: FakeOllama, says: str) -> None:
    fake.models = [
        model_entry("m:latest", capabilities=CAPABLE),
        model_entry("other:latest", capabilities=CAPABLE),
        model_entry("e:latest", capabilities=("embedding",)),
    ]
    fake.script("/api/chat", stream([chat_line(says), done_line()]))
    fake.script("/api/generate", stream([generate_line(says), generate_done_line()]))


def _speak_openai(fake: FakeOllama, says: str, owned_by: str) -> None:
    speak_openai(fake, "m", "other", "e", owned_by=owned_by)
    fake.script(CHAT, sse(delta(says), delta(finish="stop"), usage(), DONE))
    text = event(choices=[{"index": 0, "text": says, "finish_reason": "stop"}])
    fake.script(TEXT, sse(text, usage(), DONE))
    vectors = {"data": [{"index": 0, "embedding": [0.6, 0.8, 0.0]}], "usage": {"prompt_tokens": 1}}
    fake.script(EMBED, answer_json(vectors))
    fake.script("/apply-template", answer_json({"prompt": "Hi"}))
    fake.script("/tokenize", answer_json({"tokens": [1]}))
