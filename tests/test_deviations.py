"""What Ollama's own OpenAI layer does to its clients, and Tensoria does not: one test a row.

The rows are those of ollama-api.md section 9, ranked by how much they hurt. Each test drives the
whole service; the details are tested in the rooms.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.test_chat import events
from tests.contract.response_streams import check_response_stream
from tests.fake_ollama import (
    FakeOllama,
    answer_html,
    answer_json,
    chat_line,
    done_line,
    error_line,
    generate_done_line,
    generate_line,
    model_entry,
    stream,
)

CHAT, TEXT, EMBED = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
MODEL = "smollm2:135m"
CAPABLE = ("completion", "tools", "thinking", "vision")
HI = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
FLAT_TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
NATIVE = {"function": {"index": 0, "name": "f", "arguments": {}}}
TOO_LONG = (
    '{"error":{"code":400,"message":"request (5000 tokens) exceeds the available context size '
    '(4096 tokens), try increasing it","type":"exceed_context_size_error",'
    '"n_prompt_tokens":5000,"n_ctx":4096}}'
)


def ask(client: FlaskClient, path: str = CHAT, **fields: Any) -> TestResponse:
    main = {CHAT: {"messages": HI}, TEXT: {"prompt": "Hi"}, EMBED: {"input": "Hi"}}[path]
    response = client.post(path, json={"model": MODEL, **main, **fields})
    response.get_data()
    response.close()
    return response


def refusal(response: TestResponse) -> tuple[int, str, str]:
    error = response.get_json()["error"]
    return response.status_code, error["code"], error["param"]


def sent(fake: FakeOllama, path: str = "/api/chat") -> Any:
    return fake.received(path)[-1].json


@pytest.fixture
def able(fake: FakeOllama) -> FakeOllama:
    """The engine, with a model that can do all that a chat may ask for."""
    fake.models = [model_entry(MODEL, capabilities=CAPABLE)]
    return fake


def test_every_row_has_a_test() -> None:
    told = re.findall(r'"""Rows? ([\d, ]+)', Path(__file__).read_text(encoding="utf-8"))
    rows = {int(row) for each in told for row in each.split(",")}
    assert rows == set(range(1, 21))


def test_failure_in_the_middle_of_a_stream_is_an_event(
    fake: FakeOllama, client: FlaskClient
) -> None:
    """Row 1: a clean but short answer there."""
    fake.script("/api/chat", stream([chat_line("Hel"), error_line("CUDA error")]))
    last = events(ask(client, stream=True))[-1]
    assert (last["error"]["type"], last["error"]["code"]) == ("server_error", "engine_error")


def test_max_completion_tokens_binds(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 2: endless generation there."""
    ask(client, max_completion_tokens=5)
    assert sent(fake)["options"]["num_predict"] == 5


def test_busy_engine_is_told_with_a_time_to_come_back(
    fake: FakeOllama, client: FlaskClient
) -> None:
    """Row 3: a bare 503 there; the queue before the engine is tested with admission."""
    fake.script("/api/chat", answer_json({"error": "server busy, please try again."}, 503))
    response = ask(client)
    assert refusal(response) == (503, "overloaded", None)
    assert int(response.headers["Retry-After"]) <= 60


def test_history_is_never_cut_in_silence(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 4: the oldest messages vanish there."""
    fake.script("/api/chat", answer_json({"error": TOO_LONG}, 400))
    assert refusal(ask(client)) == (400, "context_length_exceeded", "messages")
    assert sent(fake)["truncate"] is False


@pytest.mark.parametrize("choice", ["none", "required", "named"])
def test_tool_choice_is_heeded(able: FakeOllama, client: FlaskClient, choice: str) -> None:
    """Row 5: ignored there."""
    called = choice != "none"
    text = '{"name": "f", "arguments": {}}' if called else "No."
    able.script("/api/chat", stream([chat_line(text), done_line()]))
    named = {"type": "function", "function": {"name": "f"}}
    answer = ask(client, tools=TOOLS, tool_choice=named if choice == "named" else choice)
    (told,) = answer.get_json()["choices"]

    assert told["finish_reason"] == ("tool_calls" if called else "stop")
    assert [c["function"]["name"] for c in told["message"].get("tool_calls", [])] == ["f"] * called
    assert "tools" not in sent(able)


def test_calls_that_may_not_be_parallel_are_one(able: FakeOllama, client: FlaskClient) -> None:
    """Row 5: as many as the model makes there."""
    able.script("/api/chat", stream([chat_line("", tool_calls=[NATIVE, NATIVE]), done_line()]))
    (told,) = ask(client, tools=TOOLS, parallel_tool_calls=False).get_json()["choices"]
    assert len(told["message"]["tool_calls"]) == 1


def test_parts_stay_one_message_and_a_result_keeps_its_call(
    able: FakeOllama, client: FlaskClient
) -> None:
    """Row 6: a message for each part there, and a result in parts loses its id."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": parts},
    ]
    ask(client, messages=history, tools=TOOLS)
    user, _, result = sent(able)["messages"]
    assert user == {"role": "user", "content": "a\nb"}
    assert (result["tool_call_id"], result["tool_name"]) == ("c1", "f")


def test_developer_speaks_as_the_system(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 7: most templates drop the role there."""
    ask(client, messages=[{"role": "developer", "content": "Be terse."}, *HI])
    assert sent(fake)["messages"][0] == {"role": "system", "content": "Be terse."}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
    ],
)
def test_mistake_of_a_client_is_a_400_that_names_the_field(
    client: FlaskClient, fields: dict[str, Any], param: str
) -> None:
    """Row 8: a 500 without code or param there."""
    assert refusal(ask(client, **fields)) == (400, "invalid_value", param)


def test_page_of_a_proxy_becomes_an_envelope(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 8: whatever came is passed on there, JSON or not."""
    fake.script("/api/chat", answer_html(502))
    assert refusal(ask(client)) == (502, "engine_error", None)


def test_several_answers_and_prompts_are_given(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 9: one of them is answered there, and an echo forgotten."""
    fake.script("/api/generate", stream([generate_line("!"), generate_done_line()]))
    told = ask(client, TEXT, prompt=["a", "b"], n=2, echo=True).get_json()["choices"]
    assert [choice["text"] for choice in told] == ["a!", "a!", "b!", "b!"]


@pytest.mark.parametrize(("name", "value"), [("logit_bias", {"7": 1}), ("best_of", 2)])
def test_what_cannot_be_had_is_refused_by_name(
    client: FlaskClient, name: str, value: object
) -> None:
    """Row 9: ignored there."""
    response = ask(client, TEXT, **{name: value})
    assert refusal(response) == (400, "unsupported_parameter", name)


def test_completion_continues_the_text_itself(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 10: a chat's template, hidden thoughts and no log probabilities there."""
    tokens = [{"token": "!", "logprob": -0.5, "bytes": [33]}]
    fake.script(
        "/api/generate", stream([generate_line("!", logprobs=tokens), generate_done_line()])
    )
    (told,) = ask(client, TEXT, logprobs=0).get_json()["choices"]
    assert told["logprobs"]["token_logprobs"] == [-0.5]
    body = sent(fake, "/api/generate")
    assert (body["raw"], body["think"]) == (True, False)


def test_empty_prompt_loads_nothing(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 10: `finish_reason: load` there."""
    assert refusal(ask(client, TEXT, prompt="")) == (400, "invalid_value", "prompt")
    assert fake.received("/api/generate") == []


@pytest.mark.parametrize("streaming", [True, False])
def test_answer_that_is_given_up_is_an_error(
    fake: FakeOllama, client: FlaskClient, streaming: bool
) -> None:
    """Row 11: no finish chunk and no [DONE] there, or a finish_reason of null."""
    fake.script("/api/chat", stream([chat_line("ha")]))
    response = ask(client, stream=streaming)
    told = events(response)[-1] if streaming else response.get_json()
    assert told["error"]["code"] == "engine_error"


@pytest.mark.parametrize("version", ["0.9.6", "0.24.0", "0.32.15"])
def test_stream_has_one_shape_whatever_the_release(
    fake: FakeOllama, client: FlaskClient, version: str
) -> None:
    """Row 12: a role in each chunk, a late finish, changing times and 999 ids there."""
    fake.version = version
    *chunks, done = events(ask(client, stream=True))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]

    assert done == "[DONE]"
    assert ["role" in delta for delta in deltas] == [True] + [False] * (len(deltas) - 1)
    assert (deltas[-1], chunks[-1]["choices"][0]["finish_reason"]) == ({}, "stop")
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert re.fullmatch(r"chatcmpl-\w{24,}", chunks[0]["id"])


def test_calls_are_numbered_and_named(able: FakeOllama, client: FlaskClient) -> None:
    """Row 13: index 0 for all of them there, and no ids before 0.12.10."""
    able.script("/api/chat", stream([chat_line("", tool_calls=[NATIVE, NATIVE]), done_line()]))
    chunks = events(ask(client, tools=TOOLS, stream=True))[:-1]
    calls = [
        call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert [call["index"] for call in calls] == [0, 1]
    assert len({call["id"] for call in calls}) == 2


def test_models_own_values_hold(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 14: temperature and top_p are 1.0 there, whatever the Modelfile says."""
    fake.script("/api/show", answer_json({"parameters": "temperature 0.1\ntop_p 0.3"}))
    ask(client)
    assert {"temperature", "top_p"}.isdisjoint(sent(fake)["options"])


def test_nulls_are_where_openai_has_them(able: FakeOllama, client: FlaskClient) -> None:
    """Row 15: left out there, or `data: null` in their place."""
    able.script("/api/chat", stream([chat_line("", tool_calls=[NATIVE]), done_line()]))
    (choice,) = ask(client, tools=TOOLS).get_json()["choices"]
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    first = events(ask(client, **asked))[0]

    assert (choice["message"]["content"], choice["message"]["refusal"]) == (None, None)
    assert choice["logprobs"] is None
    assert (first["usage"], first["choices"][0]["logprobs"]) == (None, None)


def test_no_models_are_an_empty_list(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 15: `data: null` there."""
    fake.models = []
    assert client.get("/v1/models").get_json()["data"] == []


def test_model_whose_name_has_slashes_is_found(fake: FakeOllama, client: FlaskClient) -> None:
    """Row 15: a 404 there."""
    name = "hf.co/bartowski/Foo-GGUF:Q4_K_M"
    fake.models = [model_entry(name)]
    assert client.get(f"/v1/models/{name}").get_json()["id"] == name


def test_embedding_of_too_much_is_refused_and_so_are_tokens(
    fake: FakeOllama, client: FlaskClient
) -> None:
    """Row 16: the input is cut without a word there."""
    fake.models = [model_entry(MODEL, capabilities=("embedding",))]
    too_long = {"error": "the input length exceeds the context length"}
    fake.script("/api/embed", answer_json(too_long, 400))
    assert refusal(ask(client, EMBED)) == (400, "context_length_exceeded", "input")
    assert refusal(ask(client, EMBED, input=[[1]])) == (400, "unsupported_parameter", "input")


@pytest.mark.parametrize(
    "url", ["data:IMAGE/webp;base64,UklGRgAAAABXRUJQVlA4IAAAAAA", "https://a/b"]
)
@pytest.mark.parametrize("sees", [True, False])
def test_image_goes_to_models_that_see_and_nothing_is_fetched(
    fake: FakeOllama, client: FlaskClient, url: str, sees: bool
) -> None:
    """Row 17: four types in one spelling there, and no look at what the model can do."""
    fake.models = [model_entry(MODEL, capabilities=CAPABLE if sees else ("completion",))]
    part = {"type": "image_url", "image_url": {"url": url}}
    response = ask(client, messages=[{"role": "user", "content": [part]}])

    if sees and url.startswith("data:"):
        assert len(sent(fake)["messages"][0]["images"]) == 1
    else:
        assert refusal(response)[2] == "messages[0].content[0].image_url.url"


def test_thoughts_have_both_names(able: FakeOllama, client: FlaskClient) -> None:
    """Row 18: `reasoning` alone there."""
    able.script("/api/chat", stream([chat_line("", thinking="Hm."), chat_line("A"), done_line()]))
    message = ask(client).get_json()["choices"][0]["message"]
    assert (message["reasoning_content"], message["reasoning"]) == ("Hm.", "Hm.")


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh"])
@pytest.mark.parametrize("version", ["0.9.6", "0.11.4", "0.24.0", "0.32.15"])
@pytest.mark.parametrize("thinks", [True, False])
def test_no_effort_is_a_400_on_any_release_or_model(
    fake: FakeOllama, make_app: Callable[..., Flask], effort: str, version: str, thinks: bool
) -> None:
    """Row 18: by release there, and always where the model cannot think."""
    fake.version = version
    fake.models = [model_entry(MODEL, capabilities=CAPABLE if thinks else ("completion",))]
    response = ask(make_app().test_client(), reasoning_effort=effort)
    assert response.status_code == 200
    assert (sent(fake).get("think") is not None) == thinks


def test_a_response_tells_how_it_ended_and_loses_nothing(
    able: FakeOllama, client: FlaskClient
) -> None:
    """Row 19: always completed there, texts lost, items mixed up, and no failed event."""
    asked = {"model": MODEL, "input": "Hi", "tools": FLAT_TOOLS, "stream": True}
    script = [chat_line("One"), chat_line("", tool_calls=[NATIVE]), chat_line("two")]
    able.script("/api/chat", stream([*script, done_line("length")]))
    with client.post("/v1/responses", json=asked) as response:
        *_, end = check_response_stream(response.data)
    able.script("/api/chat", stream([*script, error_line("it broke")]))
    with client.post("/v1/responses", json=asked) as response:
        *_, failed = check_response_stream(response.data)

    kinds = ["message", "function_call", "message"]
    assert end["type"] == "response.incomplete"
    assert [item["type"] for item in end["response"]["output"]] == kinds
    assert failed["type"] == "response.failed"
    assert [item["type"] for item in failed["response"]["output"]] == kinds


def test_nothing_is_open_that_ollama_leaves_open(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    """Row 20: no key there, deleting for everybody, and prompts that leave by a model's name."""
    client = make_app(API_KEY="sk-one").test_client()
    key = {"Authorization": "Bearer sk-one"}
    body = {"model": "gpt-oss:120b-cloud", "messages": HI}

    assert client.post(CHAT, json={"model": MODEL, "messages": HI}).status_code == 401
    assert client.delete(f"/v1/models/{MODEL}", headers=key).status_code == 405
    assert client.delete("/api/delete", headers=key).status_code == 404
    refused = client.post(CHAT, json=body, headers=key)
    assert refused.status_code == 400
    assert "ALLOW_CLOUD_MODELS" in refused.get_json()["error"]["message"]
    assert fake.received("/api/chat") == []
